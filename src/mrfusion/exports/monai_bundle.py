"""A MONAI bundle: a folder that `python -m monai.bundle run` predicts cases with; running it needs extra [export]."""

from pathlib import Path
from typing import Any

from mrfusion.exports._base import Answering, Export, Package, write_json
from mrfusion.exports._traced import read_traced, write_traced

VERSIONS = {"numpy_version": "2.0.0", "pytorch_version": "2.10.0", "monai_version": "1.5.2"}
SCRIPTS = '"""Reads cases and paints answers."""\n\nfrom . import case as case\n'
OTHERS = {"nibabel": "5.2", "scipy": "1.12", "fire": "0.5"}


class MonaiBundle(Export):
    """``configs/metadata.json``, ``configs/inference.json``, ``models/model.ts`` and ``docs/README.md``.

    In that folder, ``python -m monai.bundle run --config_file configs/inference.json --datalist D --base_dir B
    --output_dir O`` predicts the cases of a datalist, as ``mrfusion convert --to datalist`` writes one. What comes
    before and after the network is said in ``configs/model.json`` and done by ``scripts/case.py``; mrfusion is not
    needed.
    """

    def write(self, package: Package, folder: Path) -> None:
        for name in ("models", "scripts", "docs", "configs"):
            (folder / name).mkdir()
        write_traced(package, folder / "models" / "model.ts")
        for name, text in {**package.programs, "__init__.py": SCRIPTS}.items():
            (folder / "scripts" / name).write_text(text, encoding="utf-8")
        (folder / "docs" / "README.md").write_text(package.card, encoding="utf-8")
        write_json(folder / "configs" / "model.json", package.statement)
        write_json(folder / "configs" / "inference.json", _inference())
        write_json(folder / "configs" / "metadata.json", _metadata(package))

    def read(self, folder: Path) -> Answering:
        return read_traced(folder / "models" / "model.ts")


def _inference() -> dict[str, Any]:
    return {
        "imports": ["$import torch", "$import scripts"],
        "bundle_root": ".",
        "datalist": "datalist.json",
        "base_dir": ".",
        "output_dir": "eval",
        "device": "$'cuda' if torch.cuda.is_available() else 'cpu'",
        "network_def": "$torch.jit.load(@bundle_root + '/models/model.ts', map_location=@device).eval()",
        "network": "$scripts.case.torch_network(@network_def, @device)",
        "statement": "$scripts.case.read_statement(@bundle_root + '/configs/model.json')",
        "run": ["$print(*scripts.case.predict_datalist(@datalist, @base_dir, @statement, @network, @output_dir))"],
    }


def _metadata(package: Package) -> dict[str, Any]:
    """By MONAI's schema of bundles; what only the user knows is left to be filled in."""
    statement = package.statement
    answer, grid = statement["answer"], list(package.example[0].shape[2:])
    shape = grid if package.multiples is None else [f"{step}*n" for step in package.multiples]
    channels = package.example[0].shape[1]
    names = answer["classes"] or [name for name, _ in answer["regions"]]
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
        "meta_schema_20240725.json",
        "version": "0.1.0",
        "changelog": {"0.1.0": f"exported by mrfusion {statement['mrfusion']}"},
        **VERSIONS,
        "required_packages_version": OTHERS,
        "name": "TO FILL IN",
        "task": statement["task"],
        "description": f"{statement['task']} of {', '.join(names)} from {', '.join(statement['modalities'])}",
        "authors": "TO FILL IN",
        "copyright": "TO FILL IN",
        "intended_use": "TO FILL IN; for research only, not for clinical use",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": "MR",
                    "num_channels": channels,
                    "spatial_shape": shape,
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": package.multiples is None,
                    "channel_def": {str(place): name for place, name in enumerate(statement["modalities"])},
                }
            },
            "outputs": {
                "pred": {
                    "type": "probabilities" if answer["classes"] else "image",
                    "format": "classes" if answer["classes"] else statement["task"],
                    "num_channels": statement["members"] * statement["channels"],
                    "spatial_shape": [] if answer["classes"] else shape,
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": package.multiples is None,
                    "channel_def": {str(place): name for place, name in enumerate(names)},
                }
            },
        },
    }
