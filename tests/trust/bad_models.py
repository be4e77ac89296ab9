"""Bad models: a finished run's folder from a stranger, whose weights or specification are not what they say."""

import json
import pickle
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from bad_images import LAYOUT, data_set
from sandbox import Bad

from mrfusion.case import Cohort, Region
from mrfusion.files import write_json
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import make_network
from mrfusion.training.loop import save_weights

SPEC: dict[str, Any] = {
    "data": {"sources": [{"path": "in", "layout": LAYOUT}]},
    "network": "unet(base=4,stages=1)",
    "machine": {"device": "cpu"},
}
OUTLINE = Cohort(("t1", "t2"), (), (Region("whole", frozenset({1, 2})), Region("core", frozenset({1}))))
PREDICT = ("predict", "run", "in", "--out", "out", "--device", "cpu")


class Payload:
    """Pickled, it writes a file where it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("open('owned', 'w').close()",))


def finished_run(work: Path, **changes: Any) -> Path:
    """A sound folder of a run that was never trained, and a case for it."""
    data_set(work)
    spec = RunSpec.model_validate(SPEC)
    folder = work / "run"
    folder.mkdir()
    save_weights(folder / "model.safetensors", make_network(spec, OUTLINE))
    write_json(folder / "spec.json", spec.model_dump(mode="json") | changes)
    write_json(folder / "cohort.json", OUTLINE.outline)
    write_json(folder / "environment.json", {"sample_size": [1, 16, 16]})
    return folder


def weights(edit: Callable[[bytes], bytes]) -> Callable[[Path], Sequence[object]]:
    def make(work: Path) -> Sequence[object]:
        path = finished_run(work) / "model.safetensors"
        path.write_bytes(edit(path.read_bytes()))
        return PREDICT

    return make


def spec(**changes: Any) -> Callable[[Path], Sequence[object]]:
    def make(work: Path) -> Sequence[object]:
        finished_run(work, **changes)
        return PREDICT

    return make


def file(name: str, content: object) -> Callable[[Path], Sequence[object]]:
    def make(work: Path) -> Sequence[object]:
        text = content if isinstance(content, str) else json.dumps(content)
        (finished_run(work) / name).write_text(text)
        return PREDICT

    return make


def without(name: str) -> Callable[[Path], Sequence[object]]:
    def make(work: Path) -> Sequence[object]:
        (finished_run(work) / name).unlink()
        return PREDICT

    return make


def torch_saved(work: Path) -> Sequence[object]:
    torch.save({"payload": Payload()}, finished_run(work) / "model.safetensors")
    return PREDICT


def elsewhere(work: Path) -> Sequence[object]:
    """A case whose id would be a path, in a table beside it."""
    finished_run(work, data={"sources": [{"path": "in", "layout": "table", "options": {"regions": {"whole": [1, 2]}}}]})
    row = "../../../../escaped,p,a/t1.nii.gz,a/t2.nii.gz,a/seg.nii.gz"
    (work / "in" / "participants.csv").write_text(f"case,patient,t1,t2,label_map\n{row}\n")
    return PREDICT


def announced(length: int, header: bytes = b"{}") -> bytes:
    return struct.pack("<Q", length) + header


HUGE = {"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}
OUTSIDE = "names code outside of mrfusion"
MODELS = {
    "a pickle as weights": (weights(lambda _: pickle.dumps(Payload())), "model.safetensors, found"),
    "torch's pickle as weights": (torch_saved, "model.safetensors, found"),
    "weights cut short": (weights(lambda content: content[:-50]), "model.safetensors, found"),
    "weights of nothing": (weights(lambda _: b""), "model.safetensors, found"),
    "weights whose header is endless": (weights(lambda _: announced(2**62)), "model.safetensors, found"),
    "weights that announce 4 TiB": (
        weights(lambda _: announced(len(json.dumps(HUGE)), json.dumps(HUGE).encode())),
        "model.safetensors, found",
    ),
    "weights of another network": (spec(network="unet(base=8,stages=1)"), "size mismatch"),
    "a network of terabytes": (spec(network="unet(base=1024,stages=8)"), "that fits its weights"),
    "a network without end": (spec(network="unet(base=4,stages=100000)"), "a whole number from 1 to 8"),
    "no weights": (without("model.safetensors"), "model.safetensors"),
    "code as its network": (spec(network="builtins:exec(\"open('owned','w').close()\")"), OUTSIDE),
    "code as a fusion": (spec(plan="separate[os:system]"), OUTSIDE),
    "code inside a fusion": (spec(plan="separate[gated(fusion='os:system')]"), OUTSIDE),
    "code as its schedule": (spec(schedule="os:system('touch owned')"), OUTSIDE),
    "code as its layout": (spec(data={"sources": [{"path": "in", "layout": "subprocess:call"}]}), OUTSIDE),
    "code among its losses": (spec(losses=["os:system('touch owned')"]), OUTSIDE),
    "a specification that is no JSON": (file("spec.json", "{"), "expected a JSON file"),
    "a specification that is a list": (file("spec.json", []), "expected keys and values"),
    "no specification": (without("spec.json"), "found no spec.json"),
    "no cohort": (without("cohort.json"), "cohort.json"),
    "a cohort of another form": (file("cohort.json", {"modalities": 7}), "of a finished run"),
    "a cohort that is a list": (file("cohort.json", [1]), "of a finished run"),
    "a thousand modalities": (
        file("cohort.json", OUTLINE.outline | {"modalities": [f"m{n}" for n in range(1000)]}),
        "more than 64",
    ),
    "no sample size": (file("environment.json", {}), "of a finished run"),
    "a sample of terabytes": (file("environment.json", {"sample_size": [1, 10**6, 10**6]}), "sample_size"),
    "a sample of nothing": (file("environment.json", {"sample_size": [1, 0, 16]}), "sample_size"),
    "a sample of words": (file("environment.json", {"sample_size": "abc"}), "sample_size"),
}

BAD_MODELS = [
    *(Bad(f"a run with {name}", make, (says,)) for name, (make, says) in MODELS.items()),
    Bad("a case that would be written elsewhere", elsewhere, ("escaped",), 0),
]
