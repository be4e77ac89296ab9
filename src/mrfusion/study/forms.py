"""The forms of study.json and cohort.json, checked before a study's folder is read further."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from mrfusion.errors import InputError
from mrfusion.run_folder.study import StudyFolder


class _Form(BaseModel):
    """Keys that are read; others may stand beside them, from other versions too."""

    model_config = ConfigDict(strict=True, extra="ignore")


class _Arm(_Form):
    name: str
    changes: dict[str, Any]


class _Cell(_Form):
    arm: str
    fold: int
    seed: int
    digest: str


class _Study(_Form):
    name: str
    question: str | None
    arms: list[_Arm]
    reference: str
    base: dict[str, Any]
    seeds: list[int]
    plan: list[_Cell]


class _Case(_Form):
    id: str
    patient: str


class _Cohort(_Form):
    modalities: list[str]
    regions: list[tuple[str, list[int]]]
    cases: list[_Case]


def check_forms(study: Any, cohort: Any, here: StudyFolder) -> None:
    """InputError, naming the file and its key, where one of the two has another form than ``mrfusion study`` writes."""
    for file, form, content in ((here.design, _Study, study), (here.cohort, _Cohort, cohort)):
        try:
            TypeAdapter(form).validate_python(_with_tuples(content))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise InputError(
                f"{file}: {place}: {str(first['msg']).lower()}, found {str(first['input'])[:80]!r}; write the "
                "folder anew with `mrfusion study`"
            ) from None
    names = [arm["name"] for arm in study["arms"]]
    if study["reference"] not in names or len(set(names)) < len(names):
        raise InputError(
            f"{here.design}: expected different arms, one of them the reference {study['reference']!r}, "
            f"found {', '.join(names) or 'none'}; write the folder anew with `mrfusion study`"
        )


def _with_tuples(content: Any) -> Any:
    """The cohort with its pairs of a region and its labels as such; JSON has lists alone."""
    if not isinstance(content, Mapping) or not isinstance(content.get("regions"), list):
        return content
    return {**content, "regions": [tuple(one) if isinstance(one, list) else one for one in content["regions"]]}
