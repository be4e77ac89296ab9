"""Bad lists of files: dataset.json of nnU-Net and the decathlon, MONAI's datalist, BIDS, each to inspect or convert."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from bad_images import ball, save
from sandbox import Bad

RAW = {"channel_names": {"0": "T1"}, "labels": {"background": 0, "whole": [1, 2]}}
TASK = {"modality": {"0": "T1"}, "labels": {"0": "background", "1": "a", "2": "b"}}
FILES = {"image": "imagesTr/a_0000.nii.gz", "label": "labelsTr/a.nii.gz"}


def listed(file: str, content: object, layout: str) -> Callable[[Path], Sequence[object]]:
    """A JSON file beside one sound case, to be inspected; and a file outside that it must not reach."""

    def make(work: Path) -> Sequence[object]:
        save(work / "in/imagesTr/a_0000.nii.gz", ball() + 1)
        save(work / "in/labelsTr/a.nii.gz", ball())
        save(work / "secret.nii.gz", ball())
        text = content if isinstance(content, str) else json.dumps(content)
        (work / "in" / file).write_text(text)
        return ("inspect", "in", "--layout", layout, "--out", "out")

    return make


def task(**changes: object) -> Callable[[Path], Sequence[object]]:
    return listed("dataset.json", TASK | {"training": [FILES]} | changes, "msd")


def raw(**changes: object) -> Callable[[Path], Sequence[object]]:
    return listed("dataset.json", RAW | changes, "nnunet_raw")


def monai(*entries: object, **more: object) -> Callable[[Path], Sequence[object]]:
    content = {"training": list(entries), **more}
    return listed("datalist.json", content, "datalist(regions={'whole':[1,2]})")


def ambiguous(work: Path) -> Sequence[object]:
    make = listed("datalist.json", {"training": [FILES]}, "datalist")
    (work / "in").mkdir()
    (work / "in/participants.csv").write_text("case,t1,label\na,imagesTr/a_0000.nii.gz,x\n")
    make(work)
    return ("inspect", "in")


def bids(*names: str) -> Callable[[Path], Sequence[object]]:
    def make(work: Path) -> Sequence[object]:
        for name in names:
            save(work / "in" / name, ball())
        return ("inspect", "in", "--layout", "bids", "--out", "out")

    return make


def converted_over(work: Path) -> Sequence[object]:
    raw()(work)
    (work / "out").mkdir()
    (work / "out/mine.txt").write_text("mine")
    return ("convert", "in", "--to", "nnunet", "--out", "out")


def converted_lacking(work: Path) -> Sequence[object]:
    raw()(work)
    (work / "in/labelsTr/a.nii.gz").unlink()
    return ("convert", "in", "--to", "nnunet", "--out", "out")


LISTS = {
    "nnU-Net: a list": (listed("dataset.json", [], "nnunet_raw"), "expected keys and values"),
    "nnU-Net: cut short": (listed("dataset.json", '{"channel_names": {', "nnunet_raw"), "expected a JSON file"),
    "nnU-Net: no channels": (raw(channel_names=None), "expected channel_names"),
    "nnU-Net: channels that skip": (raw(channel_names={"0": "a", "2": "b"}), "expected channel_names"),
    "nnU-Net: labels that are words": (raw(labels={"a": "x"}), "expected whole numbers"),
    "nnU-Net: a negative label": (raw(labels={"a": -1}), "expected label values above 0"),
    "nnU-Net: PNG files": (raw(file_ending=".png"), "expected file_ending"),
    "nnU-Net: a list that leads out": (
        raw(dataset={"a": {"images": ["../secret.nii.gz"], "label": "../secret.nii.gz"}}),
        "without '..'",
    ),
    "nnU-Net: a list of numbers": (raw(dataset={"a": {"images": [1], "label": 2}}), "found something else"),
    "nnU-Net: a channel with a bell": (raw(channel_names={"0": "T1\x07"}), "control characters"),
    "the decathlon: a name that leads out": (
        task(training=[{"image": "../secret.nii.gz", "label": "x"}]),
        "without '..'",
    ),
    "the decathlon: an absolute name": (task(training=[{"image": "/etc/passwd", "label": "x"}]), "without '..'"),
    "the decathlon: lists of lists": (task(training=[[["a"]]]), "expected {'image'"),
    "the decathlon: no cases": (task(training=[]), "expected cases under 'training'"),
    "the decathlon: more modalities than volumes": (task(modality={"0": "a", "1": "b"}), "at least 2 volumes, found 1"),
    "MONAI: a name that leads out": (monai({"image": ["../secret.nii.gz"], "label": "x.nii.gz"}), "without '..'"),
    "MONAI: numbers": (monai(1, 2), "expected cases as"),
    "MONAI: an image that is a number": (monai({"image": 7, "label": 1}), "expected under image"),
    "MONAI: a name with a null": (monai({"image": ["a\0"], "label": "x.nii.gz"}), "control characters"),
    "MONAI: no regions": (
        listed("datalist.json", {"training": [FILES]}, "datalist"),
        "regions: expected",
    ),
    "BIDS: two files of one suffix": (
        bids("sub-1/anat/sub-1_run-1_T1w.nii.gz", "sub-1/anat/sub-1_run-2_T1w.nii.gz"),
        "say more of its name",
    ),
    "BIDS: two kinds of masks": (
        bids("sub-1/anat/sub-1_T1w.nii.gz", "derivatives/sub-1_desc-a_mask.nii.gz", "derivatives/sub-1_dseg.nii.gz"),
        "say which with label",
    ),
    "BIDS: no subject": (bids("scan.nii.gz"), "expected BIDS files such as"),
    "two layouts that fit": (ambiguous, "is read as datalist; there is a table too"),
    "convert: a folder that is not empty": (converted_over, "expected a folder that is new or empty"),
    "convert: a case without labels": (converted_lacking, "case a"),
}
BAD_LISTS = [Bad(name, make, (says,)) for name, (make, says) in LISTS.items()]
