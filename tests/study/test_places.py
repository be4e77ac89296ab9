"""Paths in a YAML file, numbers without a wall, and seeds that are named twice."""

import tracemalloc
from contextlib import nullcontext
from pathlib import Path

import pytest

from mrfusion.errors import Note, SpecError
from mrfusion.outside.folders import named_arms
from mrfusion.study.design import read_study
from mrfusion.study.places import place_of, with_places

STUDY = "data:\n  sources: [{{path: '{path}', layout: brats(year=2023)}}]\n{more}\n"
COUNTS = (
    "data.split.folds", "data.split.seed", "sampling.per_case", "budget.epochs", "budget.batch_size", "budget.patience",
    "machine.devices", "machine.threads", "seed", "fold",
)  # fmt: skip


def study(folder: Path, path: str = "in", more: str = "") -> Path:
    file = folder / "study.yaml"
    file.write_text(STUDY.format(path=path, more=more))
    return file


def test_a_path_is_relative_to_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "in").mkdir(parents=True)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    found = read_study(study(tmp_path / "here")).base.data.sources[0].path
    assert found == tmp_path / "here" / "in"


def test_home_and_variables_stand_for_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATA", str(tmp_path / "data"))
    assert place_of("~/x", tmp_path / "s.yaml") == tmp_path / "home" / "x"
    assert place_of("$DATA/x", tmp_path / "s.yaml") == place_of("${DATA}/x", tmp_path / "s.yaml") == tmp_path / "data/x"
    monkeypatch.delenv("DATA")
    with pytest.raises(SpecError, match=r"the path '\$DATA/x' names \$DATA, which is not set"):
        read_study(study(tmp_path, "$DATA/x"))


def test_the_old_reading_is_taken_with_a_note_where_only_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cwd" / "in").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    with pytest.warns(Note, match="read from the working directory, as version 0.1.0 did"):
        assert read_study(study(tmp_path / "here")).base.data.sources[0].path == Path("in")


@pytest.mark.parametrize("key", ["seeds", "folds"])
def test_a_number_that_is_named_twice_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=f"{key}.*expected each number once"):
        read_study(study(tmp_path, more=f"{key}: [0, 1, 0]"))


@pytest.mark.parametrize("value", [10**7, 10**9, 10**12, 2**63, 10**30])
@pytest.mark.parametrize("key", COUNTS)
def test_a_number_of_any_size_is_read_or_refused_within_little_memory(key: str, value: int, tmp_path: Path) -> None:
    *parts, last = key.split(".")
    text = "".join(f"{{{part}: " if n else f"{part}: " for n, part in enumerate(parts))
    if parts[:1] == ["data"]:
        source = f"{{path: '{tmp_path}', layout: brats(year=2023)}}"
        content = f"data: {{sources: [{source}], split: {{{last}: {value}}}}}"
    else:
        content = STUDY.format(path=tmp_path, more=f"{text}{{{last}: {value}}}" if parts else f"{last}: {value}")
    (tmp_path / "s.yaml").write_text(content)
    refused = value >= 2**32 or last != "seed"
    tracemalloc.start()
    try:
        with pytest.raises(SpecError, match=last) if refused else nullcontext():
            read_study(tmp_path / "s.yaml")
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


PLACES = ["rel/x", "~/x", "$DATA/x", "${DATA}/x"]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with nothing in it, beside ``here`` with a folder, a home and data that all hold one."""
    for name in ("here/rel/x", "home/x", "data/x", "cwd"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path


def opened(elsewhere: Path, text: str) -> Path:
    """Where the path leads."""
    return {"~": elsewhere / "home", "$": elsewhere / "data"}.get(text[0], elsewhere / "here" / "rel") / "x"


@pytest.mark.parametrize("text", PLACES)
def test_every_key_with_a_path_is_read_alike(elsewhere: Path, text: str) -> None:
    file, place = elsewhere / "here" / "s.yaml", opened(elsewhere, text)
    for name in ("plans.json", "list.json"):
        (place / name).write_text("{}")
    content = {
        "data": {
            "sources": [{"path": text, "layout": "datalist", "options": {"file": f"{text}/list.json"}}],
            "split": {"file": f"{text}/list.json"},
        },
        "network": f"nnunet(plans={text}/plans.json,configuration=3d_fullres)",
        "losses": {"fusion": f"fusion(extractor=vgg16,weights='{text}/plans.json')"},
        "predictions": [text, text],
    }
    found = with_places(content, file)
    (source,) = found["data"]["sources"]
    assert [Path(source["path"]), Path(source["options"]["file"])] == [place, place / "list.json"]
    assert Path(found["data"]["split"]["file"]) == place / "list.json"
    assert found["network"] == f"nnunet(plans='{place}/plans.json',configuration=3d_fullres)"
    assert found["losses"] == {"fusion": f"fusion(extractor=vgg16,weights='{place}/plans.json')"}
    assert [Path(one) for one in found["predictions"]] == [place, place]
    listed = with_places({"data": {"sources": [{"path": text, "layout": f"datalist(file='{text}/list.json')"}]}}, file)
    assert listed["data"]["sources"][0]["layout"] == f"datalist(file='{place}/list.json')"


def test_a_file_that_lies_in_the_working_directory_too_keeps_its_text_and_so_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vgg.pt").write_bytes(b"")
    content = {"losses": ["fusion(extractor=vgg16,weights=vgg.pt)"], "network": "unet(base=4)"}
    assert with_places(content, Path("s.yaml")) == content
    assert with_places({"losses": "fusion(weights=nowhere.pt)"}, Path("s.yaml")) == {
        "losses": "fusion(weights=nowhere.pt)"
    }


def test_predictions_of_an_arm_are_found_beside_the_file(elsewhere: Path) -> None:
    (elsewhere / "here" / "rel" / "x" / "a.nii.gz").write_bytes(b"x")
    more = "arms: {ours: {}, theirs: {predictions: rel/x}}"
    (arm,) = [one for one in read_study(study(elsewhere / "here", "rel", more)).arms if one.name == "theirs"]
    assert arm.changes["predictions"]["folders"] == [str(elsewhere / "here" / "rel" / "x")]


def test_a_home_behind_an_equals_sign_is_found(elsewhere: Path) -> None:
    assert named_arms(["a=~/x"]) == {"a": [elsewhere / "home" / "x"]}
