"""The text form of plans, what is refused in it, and what a plan says of modalities and levels."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.plan import FusionPlan, parse_plan

FUSIONS = st.sampled_from(["mean", "max", "concat", "concat()", "mean"])
MODALITY = st.from_regex(r"[a-z][a-z0-9]{0,4}", fullmatch=True).filter(lambda n: n not in ("inf", "none", "null"))
IMAGES = st.builds(lambda n, a: f"{n}({','.join(a)})", st.sampled_from(["mean_image", "zeros"]),
                   st.lists(st.sampled_from(["t1c", "t2f", "t1n"]), min_size=1, max_size=3))  # fmt: skip
TEXTS = st.one_of(
    st.builds(lambda images: "+".join(("concat", *images)), st.lists(IMAGES, max_size=3)),
    st.sampled_from(["t1c", "t2f", "flair_7"]).map(lambda name: f"only({name})"),
    st.builds(
        lambda levels, end: "separate" + (f"[{','.join(levels)}]" if levels else "") + end,
        st.lists(FUSIONS, max_size=5),
        st.sampled_from(["", ">mean", ">single"]),
    ),
)


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.integers(0, 5))
def test_text_round_trip(text: str, spaces: int) -> None:
    plan = parse_plan(text)
    assert parse_plan(str(plan)) == plan
    assert hash(parse_plan(str(plan))) == hash(plan)
    loose = (" " * spaces).join(text.replace(",", " , ").replace("[", " [ ").split(" "))
    assert parse_plan(loose) == plan


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("concat", FusionPlan()),
        ("only(t1c)", FusionPlan("only(t1c)")),
        ("concat+mean_image(t1c,t2f)+zeros", FusionPlan("concat", ("mean_image(t1c,t2f)", "zeros"))),
        ("separate[mean,max]>mean", FusionPlan("separate", (), ("mean", "max"), "mean")),
        ("separate>mean", FusionPlan("separate", output="mean")),
        ("separate>single", FusionPlan("separate")),
        ("concat(fill=zero)", FusionPlan()),
        ("concat(t1c,t2f,fill=learned)", FusionPlan("concat(t1c,t2f,fill=learned)")),
        (" separate [ max ] ", FusionPlan("separate", (), ("max",))),
        ("separate[my.package:Class(a=(1,2),b=x)]", FusionPlan("separate", (), ("my.package:Class(a=(1,2),b=x)",))),
    ],
)
def test_what_text_says(text: str, expected: FusionPlan) -> None:
    assert parse_plan(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a plan such as"),
        ("[mean]", "expected a plan such as"),
        ("concta", r"no input is called 'concta'; did you mean 'concat'\?"),
        ("separate[maen]", r"did you mean 'mean'"),
        ("concat+men_image(t1c)", r"did you mean 'mean_image'"),
        ("separate>maen", r"no output is called 'maen'; did you mean 'mean'"),
        ("only", "one modality"),
        ("only(t1c,t2f)", "one modality"),
        ("concat[mean]", "need 'separate'"),
        ("concat>mean", "need 'separate'"),
        ("only(t1c)>mean", "need 'separate'"),
        ("separate+zeros", "a fused image is a channel of 'concat'"),
        ("fused", "say which image is seen instead"),
        ("fused[mean]+zeros", "expected"),
        ("separate[mean(1+1)]", "expected literal arguments"),
        ("concat(fill=lerned)", r"no fill is called 'lerned'; did you mean 'learned'"),
        ("concat(full=learned)", r"no options but concat\(fill=learned\)"),
        ("separate(fill=learned)", r"no options but concat\(fill=learned\)"),
        ("separate[mean", "expected"),
        ("separate]mean[", "expected"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_plan(text)


@pytest.mark.parametrize("name", families.names("fusions"))
def test_every_fusion_can_be_named(name: str) -> None:
    assert parse_plan(f"separate[{name}]").levels == (name,)


def test_modalities_that_a_plan_reads() -> None:
    available = ("t1n", "t1c", "t2w", "t2f")
    assert parse_plan("concat").modalities(available) == available
    assert parse_plan("separate>mean").modalities(available) == available
    assert parse_plan("only(t2w)").modalities(available) == ("t2w",)
    assert parse_plan("fused+mean_image(t2f,t1c)").modalities(available) == ("t1c", "t2f")
    assert parse_plan("fused+mean_image").modalities(available) == available
    with pytest.raises(SpecError, match=r"'only\(t1x\)' reads the modality 't1x'; did you mean 't1"):
        parse_plan("only(t1x)").modalities(available)
    with pytest.raises(SpecError, match="reads the modality 'flair'"):
        parse_plan("concat+mean_image(t1c,flair)").modalities(available)


def test_levels() -> None:
    assert [parse_plan("separate").fusion_at(level) for level in range(3)] == ["mean"] * 3
    assert [parse_plan("separate[max]").fusion_at(level) for level in range(3)] == ["max"] * 3
    plan = parse_plan("separate[mean,max,concat]")
    assert [plan.fusion_at(level) for level in range(3)] == ["mean", "max", "concat"]
    plan.check_levels(3)
    parse_plan("separate[max]").check_levels(7)
    with pytest.raises(SpecError, match="names 3 levels, the network's encoder has 4; name one fusion for all"):
        plan.check_levels(4)
