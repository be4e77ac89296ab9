"""Bad text: specifications in YAML, tables in CSV, splits and studies in JSON."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from bad_images import LAYOUT, data_set
from sandbox import Bad

STUDY = f"""
data:
  sources: [{{path: in, layout: "{LAYOUT}"}}]
  split: {{folds: 3}}
network: unet(base=4,stages=1)
budget: {{epochs: 1}}
arms:
  both: {{}}
  only t1: {{plan: only(t1)}}
"""
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
TABLE = "case,patient,t1,t2,label_map\na,p,a/t1.nii.gz,a/t2.nii.gz,a/seg.nii.gz\n"
TABLE_LAYOUT = "table(modalities=['t1','t2'],regions={'whole':[1,2]})"
SPLITS = [{"train": ["b", "c"], "val": ["a"]}, {"train": ["a", "c"], "val": ["b"]}]


def study(text: str | bytes, *more: str) -> Callable[[Path], Sequence[object]]:
    """A study of three sound cases whose file holds this text."""

    def make(work: Path) -> Sequence[object]:
        for seed, name in enumerate("abc"):
            data_set(work, name, seed)
        (work / "study.yaml").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return ("study", "study.yaml", "--out", "out", "--executor", "in_process:InProcess", *more)

    return make


def changed(old: str, new: str) -> Callable[[Path], Sequence[object]]:
    assert old in STUDY
    return study(STUDY.replace(old, new))


def table(text: str | bytes) -> Callable[[Path], Sequence[object]]:
    """A table of this text beside one sound case, to be inspected."""

    def make(work: Path) -> Sequence[object]:
        data_set(work)
        (work / "in" / "participants.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return ("inspect", "in", "--layout", TABLE_LAYOUT, "--out", "out")

    return make


def cell(old: str, new: str) -> Callable[[Path], Sequence[object]]:
    assert old in TABLE
    return table(TABLE.replace(old, new, 1))


def splits(content: object) -> Callable[[Path], Sequence[object]]:
    """A study on three cases with a file of splits."""
    text = content if isinstance(content, str) else json.dumps(content)

    def make(work: Path) -> Sequence[object]:
        (work / "splits.json").write_text(text)
        return study(STUDY, "--splits", "splits.json")(work)

    return make


def folder_of(**files: object) -> Callable[[Path], Sequence[object]]:
    """The folder of a study with these files, of which a report is wanted."""

    def make(work: Path) -> Sequence[object]:
        (work / "out").mkdir()
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (work / "out" / f"{name}.json").write_text(text)
        return ("report", "out")

    return make


def spec_folder(work: Path) -> Sequence[object]:
    (work / "study.yaml").mkdir()
    return ("study", "study.yaml", "--out", "out")


YAML = {
    "an open bracket": (study("arms: [\n"), "expected a YAML file"),
    "tabs": (study("data:\n\tsources: []\n"), "expected a YAML file"),
    "a list": (study("- 1\n- 2\n"), "expected keys and values"),
    "nothing": (study(""), "expected keys and values"),
    "bytes": (study(bytes(range(256))), "expected a YAML file"),
    "an object of Python's": (study("x: !!python/object/apply:os.system ['touch out.txt']\n"), "expected a YAML file"),
    "a module of Python's": (study("x: !!python/module:antigravity\n"), "expected a YAML file"),
    "aliases that expand to gigabytes": (study(BOMB), "aliases (*name) are not read"),
    "an anchor that holds itself": (study("x: &x [*x]\n"), "aliases (*name) are not read"),
    "a thousand brackets": (study("x: " + "[" * 5000 + "]" * 5000), "nested 50 deep"),
    "five megabytes": (study("x: 1\n" * 1_000_000), "at most 1048576 letters"),
    "a number of 9000 digits": (study("seed: " + "9" * 9000), "expected a YAML file"),
    "a day that does not exist": (study("name: 2021-99-99\n"), "expected a YAML file"),
    "a tag that does not fit": (study("seed: !!int x\n"), "expected a YAML file"),
    "a list as a key": (study("? [a]\n: b\n"), "expected a YAML file"),
    "one arm twice": (changed("only t1:", "both:"), "stands twice"),
    "an unknown key": (changed("network:", "netwrok:"), "did you mean 'network'"),
    "an unknown layout": (changed("folder(", "foldr("), "did you mean 'folder'"),
    "an unknown network": (changed("unet(", "unett("), "did you mean 'unet'"),
    "an unknown modality": (changed("only(t1)", "only(t9)"), "t9"),
    "a plan that would run code": (
        changed("only(t1)", "\"separate[__import__('os').system('touch x')]\""),
        "literal arguments",
    ),
    "no epochs": (changed("epochs: 1", "epochs: 0"), "at least 1"),
    "a learning rate that is no number": (changed("epochs: 1", "learning_rate: .nan"), "learning_rate"),
    "folds of half a patient": (changed("folds: 3", "folds: 2.5"), "folds"),
    "folds that leave nobody to validate on": (changed("folds: 3", "folds: 2"), "one to validate on"),
    "more folds than patients": (changed("folds: 3", "folds: 9"), "9"),
    "a path that is no text": (changed("path: in", "path: [1]"), "path"),
    "a path with a null": (changed("path: in", 'path: "in\\0x"'), "in"),
    "a path to nothing": (changed("path: in", "path: nowhere"), "expected data at"),
    "code that is not there": (changed("unet(base=4,stages=1)", "no.such:Thing"), "importable"),
}
ONLY = "{plan: only(t1)}"
OPTIONS = {
    '{plan: "separate[mmtm(ratio=abc)]"}': "expected a finite number of at least 0.001 for ratio",
    '{plan: "separate[mmtm(ratio=0)]"}': "at least 0.001",
    '{plan: "separate[attention(heads=x)]"}': "expected a whole number of at least 1 for heads",
    '{plan: "separate[attention(window=0)]"}': "at least 1",
    '{plan: "separate[bottleneck(tokens=0)]"}': "at least 1",
    '{plan: "separate[lowrank(rank=0)]"}': "at least 1",
    '{plan: "separate[gated(share=2)]"}': "from 0 to 1",
    '{plan: "separate[energy(steps=abc)]"}': "expected a number for steps",
    '{plan: "concat+lrrnet(t1,t2,n=abc)"}': "expected a whole number of at least 1 for n",
    '{network: "unet(base=abc)"}': "expected a whole number from 1 to 1024 or a list for base, found 'abc'",
    '{network: "unet(base=0)"}': "base",
    '{losses: ["dice_ce(weight=abc)"]}': "weight",
    '{balancer: "static(dice_ce=abc)"}': "expected a finite number of at least 0 for weights",
    '{balancer: "static(dice_ce=-1)"}': "at least 0",
    '{schedule: "decoupled(share=abc)"}': "expected a number larger than 0 and at most 1 for share",
    '{plan: "separate>mean", search: "forward(mode=fast)"}': "expected greedy or full_path for mode",
    '{plan: "separate>mean", search: "forward(rate=abc)"}': "expected a finite number larger than 0 for rate",
    '{plan: "separate>mean", search: "forward(rate=0)"}': "larger than 0",
    '{plan: "separate>mean", search: "random(count=0)"}': "at least 1",
    '{plan: "separate>mean", search: "supernet(finalists=0)"}': "at least 1",
}
CSV = {
    "a name that leads up": (cell("a/t1", "../../secret"), "without '..'"),
    "an absolute name": (cell("a/t1.nii.gz", "/etc/passwd"), "without '..'"),
    "a name with a null": (cell("a/t1", "a\0t1"), "control characters"),
    "a name of 5000 letters": (cell("a/t1", "a" * 5000), "has 5007 letters"),
    "a name that is not there": (cell("a/t1", "b/t1"), "expected a file at"),
    "a case that would be written elsewhere": (cell("\na,", "\na\n../../b,"), "t1"),
    "a case with a bell": (cell("\na,", "\na\a,"), "control characters"),
    "no header": (table(TABLE.splitlines()[1]), "expected"),
    "no rows": (table(TABLE.splitlines()[0]), "expected one row a case"),
    "no column of labels": (cell("label_map", "mask"), "lacks its label map"),
    "no file": (cell("a/t1.nii.gz", ""), "t1 is absent"),
    "a row too short": (cell(",a/t2.nii.gz,a/seg.nii.gz", ""), "t2 is absent"),
    "one case twice": (table(TABLE + TABLE.splitlines()[1]), "two cases are called 'a'"),
    "bytes that are no text": (table(TABLE.encode() + b"b,\xff\xfe\n"), "save it as UTF-8"),
    "UTF-16 that is cut short": (table(TABLE.encode("utf-16")[:-1]), "save it as UTF-8"),
    "a cell of a megabyte": (cell("\na,", "\n" + "a" * 2**20 + ","), "expected a CSV table"),
    "a quote that is never closed": (cell("\na,p", '\n"a,p'), "nothing stands in t1, t2"),
    "nothing": (table(""), "expected"),
    "an image in place of a table": (table(b"\x1f\x8b\x08\x00" + bytes(500)), "expected"),
}
JSON = {
    "an open bracket": (splits("[{"), "expected a JSON file"),
    "a hundred thousand brackets": (splits("[" * 100_000), "expected a JSON file"),
    "a number of 9000 digits": (splits("9" * 9000), "expected a JSON file"),
    "a number": (splits(7), "expected our splits or nnU-Net's"),
    "no folds": (splits([]), "expected our splits or nnU-Net's"),
    "folds of numbers": (splits([1, 2]), "expected lists of case ids"),
    "ids that are numbers": (splits([{"train": [1], "val": [2]}]), "expected lists of case ids"),
    "unknown cases": (splits([{"train": ["a", "x"], "val": ["b"]}]), "x"),
    "a case on both sides": (splits([{"train": ["a", "b"], "val": ["b"]}]), "b"),
    "nothing to test": (splits([{"train": ["a", "b"], "val": []}]), "test"),
    "a patient on both sides": (
        splits({"folds": [{"train": ["a"], "val": ["a"], "test": ["c"]}], "cases": {}}),
        "a",
    ),
}
STUDIES = {
    "nothing": (folder_of(), "study.json"),
    "studies of another form": (folder_of(study=[], cohort={}, splits={}), "study.json: the file"),
    "a study that is no JSON": (folder_of(study="{", cohort={}, splits={}), "expected a JSON file"),
    "a run outside the study": (
        folder_of(
            study={
                "name": "s",
                "question": "",
                "arms": [{"name": "a", "changes": {}}],
                "reference": "a",
                "base": {},
                "seeds": [0],
                "plan": [{"arm": "a", "fold": 0, "seed": 0, "digest": "../../../etc"}],
            },
            cohort={"cases": [], "modalities": ["t1"], "regions": []},
            splits={"cases": {}},
        ),
        "digest",
    ),
}

BAD_TEXTS = [
    *(Bad(f"YAML with {name}", make, (says,)) for name, (make, says) in YAML.items()),
    *(Bad(f"an arm {arm}", changed(ONLY, arm), (says,)) for arm, says in OPTIONS.items()),
    *(Bad(f"CSV with {name}", make, (says,)) for name, (make, says) in CSV.items()),
    *(Bad(f"splits with {name}", make, (says,)) for name, (make, says) in JSON.items()),
    *(Bad(f"a study's folder with {name}", make, (says,)) for name, (make, says) in STUDIES.items()),
    Bad("a folder in place of YAML", spec_folder, ("expected a YAML file",)),
]
