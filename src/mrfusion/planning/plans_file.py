"""Plans that a user already has: nnU-Net's nnUNetPlans.json as the keys of a specification.

nnU-Net's arrays are (z, y, x), the axis of the slices first; ours are (S, x, y) of RAS+. So the two axes in the plane
change places wherever a plan names them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrfusion.errors import InputError, SpecError
from mrfusion.families import Call, parse
from mrfusion.files import read_json

NAME = "nnunet"
SPLITS, DATASET = "splits_final.json", "dataset.json"  # what nnU-Net writes beside its plans
_TEXT = re.compile(r"\s*nnunet\s*(?:\((?P<arguments>.*)\))?\s*", re.DOTALL)
_NETWORKS = {"PlainConvUNet": ("plain", "n_conv_per_stage"), "ResidualEncoderUNet": ("resenc", "n_blocks_per_stage")}
_ZSCORE, _CT = "ZScoreNormalization", "CTNormalization"


@dataclass(frozen=True)
class PlansFile:
    """A file of plans, one of its configurations, and where it lies."""

    path: Path
    name: str
    whole: Mapping[str, Any]
    configuration: Mapping[str, Any]

    def values(self) -> dict[str, Any]:
        """The keys of a specification: network, samples, batch, preparation, and the folds where a file has them."""
        patch = _ours([int(n) for n in self.configuration["patch_size"]])
        preparation = {"spacing_mm": self._spacing(), "interpolation": "cubic", "intensities": self._intensities()}
        preparation["zscore"] = self._zscore()
        data: dict[str, Any] = {"preparation": preparation}
        splits = self.path.with_name(SPLITS)
        if splits.is_file():
            data["split"] = {"file": str(splits)}
        return {
            "network": self._network(),
            "sampling": {"dimensions": len(patch), "size": patch},
            "budget": {"batch_size": int(self.configuration["batch_size"])},
            "data": data,
        }

    def _network(self) -> str:
        architecture = self.configuration["architecture"]
        lists, kind = architecture["arch_kwargs"], str(architecture["network_class_name"]).rpartition(".")[2]
        if kind not in _NETWORKS:
            raise self._wrong(f"a network that is one of {', '.join(_NETWORKS)}", kind)
        name, blocks = _NETWORKS[kind]
        options = {
            "features": tuple(lists["features_per_stage"]),
            "strides": tuple(tuple(_ours(step)) for step in lists["strides"]),
            "kernels": tuple(tuple(_ours(kernel)) for kernel in lists["kernel_sizes"]),
            "blocks": tuple(lists[blocks]),
            "up": tuple(reversed(lists["n_conv_per_stage_decoder"])),  # nnU-Net counts from the coarsest level
        }
        return str(parse(str(Call(name, (), tuple(sorted(options.items()))))))

    def _spacing(self) -> list[float | None]:
        *between, rows, columns = _ours([float(s) for s in self.configuration["spacing"]])
        return [rows, columns, between[0] if between else None]

    def _intensities(self) -> dict[str, dict[str, float]]:
        schemes = list(self.configuration["normalization_schemes"])
        unknown = [scheme for scheme in schemes if scheme not in (_ZSCORE, _CT)]
        if unknown:
            raise self._wrong(f"normalisation by {_ZSCORE} or {_CT}", unknown[0])
        found, properties = {}, self.whole["foreground_intensity_properties_per_channel"]
        for number, scheme in enumerate(schemes):
            if scheme == _CT:
                one = properties[str(number)]
                low, high = one["percentile_00_5"], one["percentile_99_5"]
                found[self._channel(number)] = {"low": low, "high": high, "mean": one["mean"], "sd": one["std"]}
        return found

    def _zscore(self) -> str:
        """Over the image that is not 0, or over all of it: nnU-Net decides it for all channels that get z-scores."""
        both = zip(self.configuration["normalization_schemes"], self.configuration["use_mask_for_norm"], strict=True)
        masked = {bool(mask) for scheme, mask in both if scheme == _ZSCORE}
        if len(masked) > 1:
            raise self._wrong("use_mask_for_norm that is the same for all channels with z-scores", "both")
        return "nonzero" if masked in ({True}, set()) else "box"

    def _channel(self, number: int) -> str:
        """What a channel is called, in the file beside the plans that says so."""
        names = read_json(self.path.with_name(DATASET))["channel_names"]
        return str(names[str(number)])

    def _wrong(self, expected: str, found: object) -> InputError:
        return InputError(f"{self.path}: {self.name}: expected {expected}, found {found}")


def plans_named(text: str) -> PlansFile | None:
    """The plans that a network's text names, ``nnunet(plans=FILE,configuration=NAME)``; None where it names none.

    Raises SpecError where the text does not say both, InputError where the file is not nnU-Net's.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    given = dict(piece.split("=", 1) for piece in (match["arguments"] or "").split(",") if "=" in piece)
    said = {key.strip(): value.strip().strip("'\"") for key, value in given.items()}
    if set(said) != {"plans", "configuration"}:
        raise SpecError(f"network: expected nnunet(plans=nnUNetPlans.json,configuration=3d_fullres), found {text!r}")
    return read_plans(Path(said["plans"]), said["configuration"])


def read_plans(path: Path, name: str) -> PlansFile:
    """A configuration of nnU-Net's plans; InputError where there is none of this name, or it cannot be used."""
    content = read_json(path)
    configurations = content.get("configurations") if isinstance(content, dict) else None
    if not isinstance(configurations, dict) or name not in configurations:
        known = ", ".join(configurations) if isinstance(configurations, dict) else "none"
        raise InputError(f"{path}: expected a plan of nnU-Net with the configuration {name!r}, found {known}")
    merged = dict(configurations[name])
    while "inherits_from" in merged:
        merged = {**configurations[merged.pop("inherits_from")], **merged}
    if "previous_stage" in merged:
        raise InputError(f"{path}: {name} is the second stage of a cascade, which an arm cannot be; name 3d_fullres")
    needed = ("architecture", "patch_size", "batch_size", "spacing", "normalization_schemes", "use_mask_for_norm")
    lacking = [key for key in needed if key not in merged]
    if lacking:
        raise InputError(f"{path}: {name} lacks {lacking[0]}; write the plans anew with nnU-Net 2.4 or later")
    return PlansFile(path, name, content, merged)


def _ours(axes: Sequence[Any]) -> list[Any]:
    """(z, y, x) or (y, x) with the two axes in the plane in our order."""
    *first, rows, columns = axes
    return [*first, columns, rows]
