"""Choices by name: what the text may say, what it may not do, and what an unknown name is answered with."""

import keyword
import math
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.families import Call, parse

WORDS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(lambda word: not keyword.iskeyword(word))
NUMBERS = st.integers(-(10**6), 10**6) | st.floats(allow_nan=False)
VALUES = st.recursive(
    NUMBERS | st.booleans() | st.none() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(WORDS, st.lists(VALUES, max_size=3), st.dictionaries(WORDS, VALUES, max_size=3))
def test_text_round_trip(name: str, args: list[object], kwargs: dict[str, object]) -> None:
    call = Call(name, tuple(args), tuple(sorted(kwargs.items())))
    assert parse(str(call)) == call


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mean", Call("mean")),
        (" mean ( ) ", Call("mean")),
        ("mmtm(ratio=8)", Call("mmtm", kwargs=(("ratio", 8),))),
        ("only(t1c)", Call("only", ("t1c",))),
        ("f(true, False, none, null, inf)", Call("f", (True, False, None, None, math.inf))),
        ("f([1, 2.5], ('a', b))", Call("f", ((1, 2.5), ("a", "b")))),
        ("f(-3, 1e-5)", Call("f", (-3, 1e-5))),
        ("my.package:Class(x=1)", Call("my.package:Class", kwargs=(("x", 1),))),
        ("f({lesion: [1, 2], 'b c': t1})", Call("f", ({"lesion": (1, 2), "b c": "t1"},))),
        ("f(b=1, a=2)", Call("f", kwargs=(("a", 2), ("b", 1)))),
    ],
)
def test_what_text_says(text: str, expected: Call) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "8", "f(", "f)", "f(1", "f(a b)", "f(g(1))", "f(1+1)", "f(x.y)", "f(x[0])", "f(lambda: 1)", "f(*x)", "f(**x)",
     "f(__import__('os').system('true'))", "f(a=1)(b=2)", "f(1); g(2)", "f(a=1, a=2)", "f(x for x in y)", "f:g:h",
     "f(" + "(" * 500 + ")" * 500 + ")", "f(open('/etc/passwd'))", "f(f'{x}')", "f(a := 1)", "f({[1]: 2})", "f(-x)"],
)  # fmt: skip
def test_what_is_not_a_name_with_literal_arguments_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="expected"):
        parse(text)


def test_no_code_runs(tmp_path: Path) -> None:
    target = tmp_path / "made"
    for text in (f"f(open({str(target)!r}, 'w'))", f"f(__import__('pathlib').Path({str(target)!r}).touch())"):
        with pytest.raises(SpecError):
            families.load("fusions", text)
    assert not target.exists()


@pytest.mark.parametrize("word", ["class", "if", "True", "None", "inf", "null", "t 1", "1", "", "ﬁ", "a'b", 'a"b'])
def test_a_string_that_could_be_mistaken_is_quoted(word: str) -> None:
    assert parse(str(Call("f", (word,)))) == Call("f", (word,))


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"no fusions choice is called 'maen'; did you mean 'mean'.*Known: .*concat"):
        families.load("fusions", "maen")
    with pytest.raises(SpecError, match=r"takes no argument 'stage'; did you mean 'stages' or"):
        families.load("backbones", "unet(stage=2)")
    for text in ("accuracy(nonsense=1)", "accuracy(votes=1)"):  # votes are what the program gives
        with pytest.raises(SpecError, match=r"takes no argument '\w+'; Known: none\."):
            families.load("class_metrics", text)
    with pytest.raises(SpecError, match=r"missing|multiple|too many"):
        families.load("losses", "cross_entropy(true, 1, 2, 3)")


def test_options_that_must_be_given_are_all_named() -> None:
    with pytest.raises(SpecError, match=r"'folder' must be told modalities, label, regions; label, regions are not"):
        families.load("layouts", "folder(modalities=[t1])", {})
    with pytest.raises(SpecError, match=r"regions is not given\. 'mrfusion list layouts folder' explains each"):
        families.load("layouts", "folder(modalities=[t1])", {"label": "seg"})
    with pytest.raises(SpecError, match="takes no argument 'lable'; did you mean 'label'"):
        families.load("layouts", "folder(modalities=[t1],label=seg,regions={a:[1]})", {"lable": "seg"})
    assert callable(families.load("layouts", "folder(modalities=[t1],label=seg)", {"regions": {"a": [1]}}))


@pytest.mark.parametrize("name", ["_base", "__init__", "../errors", "no_such_thing", "mean.py"])
def test_only_choices_can_be_named(name: str) -> None:
    with pytest.raises(SpecError):
        families.load("fusions", name)


@pytest.mark.parametrize("name", ["no_such_package.x:Y", "mrfusion.fusions.mean:Maen", "os.:x"])
def test_an_address_that_leads_nowhere(name: str) -> None:
    with pytest.raises(SpecError, match="expected"):
        families.load("fusions", name)


def test_an_address_leads_to_the_same_choice() -> None:
    assert families.load("fusions", "mrfusion.fusions.mean:Mean") is families.load("fusions", "mean")


def test_every_choice_of_every_family_loads() -> None:
    for family in families.families():
        found = families.names(family)
        assert found == sorted(found)
        assert found, f"{family} has no choice"
        for name in found:
            if name in ("ray", "mlflow", "tensorboard", "onnx") and find_spec(name) is None:
                continue  # an extra that need not be installed
            assert callable(families.load(family, name)), f"{family}: {name}"


def test_arguments_stand_in_the_text() -> None:
    made = families.load("backbones", "unet(base=4,stages=1)")(2)
    assert made.channels == (4, 8)
    assert families.load("balancers", "static(fusion=1e-5)")().weights == {"fusion": 1e-5}


def test_module_of_gives_what_stands_beside_a_choice() -> None:
    assert families.module_of("fusions", "mean(x=1)").__name__ == "mrfusion.fusions.mean"


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("folder(modalities=7,label=seg,regions={})", "expected a mapping or a list for modalities, found 7"),
        ("folder(modalities=[a],label=seg,regions=nonsense)", "expected a mapping for regions, found 'nonsense'"),
        ("folder(modalities=[a],label=seg,regions={},may_lack=images)", "expected a list for may_lack, found 'images'"),
    ],
)
def test_a_list_or_mapping_is_asked_for_before_anything_is_read(choice: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        families.load("layouts", choice)
