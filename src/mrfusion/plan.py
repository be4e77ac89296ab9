"""A fusion plan says where and how modalities meet: at the input, at each encoder level, at the output.

Its text form is what users write and what a search mutates::

    concat                           early fusion: one encoder reads all modalities as channels
    only(t1c)                        one modality alone
    concat(t1c,t2f)                  these modalities alone, in the cohort's order (separate(...) likewise)
    concat(fill=learned)             the channel of an absent modality holds one learned number instead of 0
    concat+mean_image(t1c,t2f)       early fusion with a fused image as one more channel
    fused+mean_image(t1c,t2f)        the fused image in the modalities' place: all that the network sees
    concat>image(t1c,t2f)            a second decoder, without skips, weighs these images into a fused one (SF-Net)
    separate[mean]                   an encoder per modality, averaged at every level, one decoder
    separate[mean,mean,concat]       a fusion per encoder level, finest first
    separate>mean                    late fusion: a whole network per modality, logits averaged
    separate[mean,mmtm]>mean         late fusion whose streams exchange at the second level
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from mrfusion import families
from mrfusion.errors import SpecError, nearest

INPUTS = ("concat", "fused", "separate", "only")
OUTPUTS = ("single", "mean", "image")
FILLS = ("zero", "learned")
_TEXT = re.compile(r"^(?P<input>[^\[\]>]+?)(?:\[(?P<levels>.*)\])?(?:>(?P<output>.+))?$", re.DOTALL)


@dataclass(frozen=True)
class FusionPlan:
    """Where and how modalities meet; hashable, with a text form (``str(plan)``, ``parse_plan(text)``).

    ``input`` is ``concat``, ``fused``, ``separate`` or ``only(x)``; ``images`` are image fusions added as channels of
    ``concat``, or, with ``fused``, the only channels there are;
    ``levels`` has one fusion per encoder level, finest first, or a single one that stands for all of them;
    ``output`` is ``single`` (one decoder), ``mean`` (one decoder per modality, logits averaged) or ``image(x,y)`` (one
    decoder, and beside it one without skip connections that gives a weight map for each modality that it names; the
    fused image is their weighted sum: SF-Net, where fusion is a regulariser of the encoder and no input).
    """

    input: str = "concat"
    images: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    output: str = "single"

    def __str__(self) -> str:
        levels = f"[{','.join(self.levels)}]" if self.levels else ""
        output = "" if self.output == "single" else f">{self.output}"
        return "+".join((self.input, *self.images)) + levels + output

    @property
    def fill(self) -> str:
        """What stands in the channel of an absent modality of ``concat``: ``zero``, or a ``learned`` number."""
        return str(dict(families.parse(self.input).kwargs).get("fill", FILLS[0]))

    def modalities(self, available: Sequence[str]) -> tuple[str, ...]:
        """The modalities that the plan reads, in the cohort's order; SpecError if it names one that is not there."""
        fused = [str(a) for text in (*self.images, self.output) for a in families.parse(text).args]
        named = [str(a) for a in families.parse(self.input).args]
        chosen = named or (fused if self.input == "fused" else []) or list(available)
        for name, known in (*((n, available) for n in chosen), *((n, chosen) for n in fused)):
            if name not in known:
                raise SpecError(f"plan {str(self)!r} reads the modality {name!r}; {nearest(name, known)}")
        return tuple(name for name in available if name in chosen)

    def fusion_at(self, level: int) -> str:
        """The fusion at an encoder level (0 = finest); ``mean`` where the plan says nothing."""
        if not self.levels:
            return "mean"
        return self.levels[0] if len(self.levels) == 1 else self.levels[level]

    def check_levels(self, count: int) -> None:
        """SpecError unless the plan's levels fit an encoder of ``count`` levels."""
        if len(self.levels) not in (0, 1, count):
            raise SpecError(
                f"plan {str(self)!r} names {len(self.levels)} levels, the network's encoder has {count}; "
                "name one fusion for all of them or one for each"
            )


def parse_plan(text: str) -> FusionPlan:
    """Read a plan's text form; SpecError with the nearest names where it does not hold."""
    match = _TEXT.match("".join(text.split()))
    if not match:
        raise SpecError(f"expected a plan such as 'concat' or 'separate[mean,max]>mean', found {text!r}")
    first, *images = _pieces(match["input"], "+")
    call = _without_default(families.parse(first))
    levels = tuple(str(families.parse(level)) for level in _pieces(match["levels"] or "", ","))
    output = str(families.parse(match["output"] or "single"))
    plan = FusionPlan(str(call), tuple(str(families.parse(i)) for i in images), levels, output)
    _check(plan, call)
    return plan


def _check(plan: FusionPlan, call: families.Call) -> None:
    output = families.parse(plan.output)
    for kind, name, known in (("input", call.name, INPUTS), ("output", output.name, OUTPUTS)):
        if name not in known:
            raise SpecError(f"plan {str(plan)!r}: no {kind} is called {name!r}; {nearest(name, known)}")
    _check_modalities(plan, call, output)
    if call.name != "separate" and (plan.levels or plan.output == "mean"):
        raise SpecError(f"plan {str(plan)!r}: levels and a mean of outputs need 'separate', an encoder per modality")
    if plan.images and call.name not in ("concat", "fused"):
        raise SpecError(f"plan {str(plan)!r}: a fused image is a channel of 'concat', or stands alone after 'fused'")
    if call.name == "fused" and not plan.images:
        raise SpecError(f"plan {str(plan)!r}: say which image is seen instead, as in 'fused+mean_image(t1c,t2f)'")
    for family, texts in (("fusions", plan.levels), ("image_fusions", plan.images)):
        for text in texts:
            name = families.parse(text).name
            if ":" not in name and name not in families.names(family):
                choices = families.names(family)
                raise SpecError(f"plan {str(plan)!r}: no {family} choice is called {name!r}; {nearest(name, choices)}")


def _check_modalities(plan: FusionPlan, call: families.Call, output: families.Call) -> None:
    if (call.name == "only") != (len(call.args) == 1):
        raise SpecError(
            f"plan {str(plan)!r}: write only(x) with one modality, concat and separate with none or several"
        )
    if (output.name == "image") != bool(output.args):
        raise SpecError(f"plan {str(plan)!r}: write image(x,y) with the modalities to fuse, other outputs without any")
    unknown = [key for key, _ in (*call.kwargs, *output.kwargs) if (key, call.name) != ("fill", "concat")]
    if unknown or output.kwargs:
        raise SpecError(
            f"plan {str(plan)!r}: inputs and outputs name modalities and take no options but concat(fill=learned)"
        )
    if plan.fill not in FILLS:
        raise SpecError(f"plan {str(plan)!r}: no fill is called {plan.fill!r}; {nearest(plan.fill, FILLS)}")


def _without_default(call: families.Call) -> families.Call:
    """``concat(fill=zero)`` is ``concat``: one plan has one text."""
    return families.Call(call.name, call.args, tuple(pair for pair in call.kwargs if pair != ("fill", FILLS[0])))


def _pieces(text: str, separator: str) -> list[str]:
    """Split at a separator that stands outside parentheses."""
    pieces, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if letter == separator and depth == 0:
            pieces.append(text[start:index])
            start = index + 1
    return [p for p in (*pieces, text[start:]) if p] if text else []


def _read_plan(value: Any) -> FusionPlan:
    """A plan from its text; ValueError, to which pydantic adds the key, for what is none."""
    try:
        return value if isinstance(value, FusionPlan) else parse_plan(str(value))
    except SpecError as error:
        raise ValueError(str(error)) from None


Plan = Annotated[
    FusionPlan,
    BeforeValidator(_read_plan),
    PlainSerializer(str, return_type=str),
]
