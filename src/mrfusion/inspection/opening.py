"""A first study of a folder: what can be seen is written, what cannot be known is one line to fill in."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mrfusion.case import Cohort
from mrfusion.data.nifti.header import read_header
from mrfusion.data.nifti.labels import read_labels
from mrfusion.data.read import read_cohort
from mrfusion.errors import InputError, SpecError
from mrfusion.inspection.roles import Roles, roles_of
from mrfusion.layouts._base import MAY_LACK, leading_out, links_followed
from mrfusion.spec import Source

COUNTED = 20  # label maps whose values are counted
FOLDS = 5  # docs/verdict.md: more folds say more than more seeds
MINUTES = 30  # of a training: a first study of five arms then takes a night
SHORT = 4  # modalities that a line each has room for in 25 lines


@dataclass(frozen=True)
class Opening:
    """A cohort as it was understood, the source that reads it, and what was seen and what was not.

    ``values`` is label value -> voxels in the label maps that were counted; ``unknown`` are sentences on what only the
    user can say; ``linked`` is a file that a link leads to out of the source's folder, if any is there.
    """

    source: Source
    cohort: Cohort
    values: Mapping[int, int]
    unknown: tuple[str, ...]
    linked: Path | None = None

    @cached_property
    def resample_to(self) -> str | None:
        """The modality whose grid the others are brought to: that of the label map; None where all share one grid."""
        everywhere = [n for n in self.cohort.modalities if all(n in case.images for case in self.cohort.cases)]
        for case in self.cohort.cases:
            grids = {name: _grid(path) for name, path in case.images.items()}
            if len(set(grids.values())) > 1:
                labels = _grid(case.label_map) if case.label_map else None
                known = everywhere or list(grids)
                return next((name for name in known if grids.get(name) == labels), known[0])
        return None


def understood(root: Path, layout: str | None) -> Opening:
    """Understand what lies at ``root``, by the given layout or as a folder for each case; links are followed.

    InputError where no word tells the files apart, or no file holds labels.
    """
    linked = leading_out(root)
    source = Source(path=root, layout=layout or "folder", follow_links=linked is not None)
    if layout is not None:
        return Opening(source, read_cohort([source]), {}, (), linked)
    with links_followed(source.follow_links):
        roles = roles_of(root)
    if not roles.labels:
        raise InputError(
            f"expected label maps beside the images {', '.join(roles.images)} of each case below {root}; found no file "
            "of whole numbers. For classification write a table with each case's class ('mrfusion list layouts table')"
        )
    values = _values(source, roles)
    options: dict[str, Any] = {"modalities": list(roles.images), "label": roles.labels[0], "regions": _regions(values)}
    options |= {"patient": roles.patient} if roles.patient else {}
    options |= {"may_lack": ["images"]} if roles.incomplete else {}
    source = source.model_copy(update={"options": options})
    tolerant = source.model_copy(update={"options": options | {"may_lack": MAY_LACK}})
    return Opening(source, read_cohort([tolerant]), values, tuple(_unknown(roles, values)), linked)


def _values(source: Source, roles: Roles) -> dict[int, int]:
    """Label value above 0 -> voxels, in the first label maps."""
    options = {"modalities": list(roles.images), "label": roles.labels[0], "regions": {"any": [1]}}
    source = source.model_copy(update={"options": options | {"may_lack": MAY_LACK}})
    counts: Counter[int] = Counter()
    for case in [case for case in read_cohort([source]).cases if case.label_map][:COUNTED]:
        assert case.label_map is not None
        found = np.unique(read_labels(case.label_map).array, return_counts=True)
        counts.update(dict(zip(*(each.tolist() for each in found), strict=True)))
    if not any(counts[value] for value in counts if value > 0):
        raise InputError(f"expected label values above 0 in the files called {roles.labels[0]}, found none")
    return {value: count for value, count in sorted(counts.items()) if value > 0}


def _regions(values: Mapping[int, int]) -> dict[str, list[int]]:
    if len(values) == 1:
        return {"lesion": list(values)}
    return {f"label{value}": [value] for value in values}


def _unknown(roles: Roles, values: Mapping[int, int]) -> list[str]:
    said = ", ".join(f"{value} ({count} voxels)" for value, count in values.items())
    found = [
        f"regions: what do the label values mean? Found {said}. Rename or join them; values that are no region go to "
        "background_labels: [..]."
    ]
    if len(roles.labels) > 1:
        found.append(f"label: {', '.join(roles.labels)} all hold whole numbers; {roles.labels[0]} is taken.")
    if roles.patient:
        found.append(
            "patient: cases such as P01_1 and P01_2 are taken for one patient; delete the line if they are not."
        )
    return found


def _grid(path: Path) -> tuple[object, ...]:
    header = read_header(path, many=True)
    return (header.shape, *header.affine.round(3).ravel().tolist())


def study_text(opening: Opening) -> str:
    """The YAML of a first study: all modalities together, each alone, and late fusion; at most 25 lines.

    Network, samples, preparation and epochs are left to planning.
    """
    names, patients = opening.cohort.modalities, {case.patient for case in opening.cohort.cases}
    folds = max(2, min(FOLDS, len(patients)))
    if len(names) < 2:
        raise SpecError(f"expected at least two modalities to fuse, found {', '.join(names) or 'none'}")
    lines = [
        f"question: {_flow(f'Do {_listed(names)} together beat each of them alone?')}",
        "data:",
        "  sources:",
        f"    - path: {_flow(str(opening.source.path.absolute()))}",
        *_links(opening),
        f"      layout: {_flow(opening.source.layout)}",
    ]
    if opening.source.options:
        lines += ["      options:", *_options(opening)]
    lines += [
        _preparation(opening),
        f"  split: {{folds: {folds}}}  # by patient, each tested once; 'seeds: [0, 1]' below would train all twice",
        "network: auto  # planned from the data, as sampling and preparation are; 'mrfusion plan' tells what and why",
        "sampling: auto",
        "budget: {epochs: auto}",
        f"planning: {{minutes: {MINUTES}}}  # of a training of 'all' on this machine; more is better",
        *_arms(names),
    ]
    return "\n".join(lines) + "\n"


def _links(opening: Opening) -> list[str]:
    if opening.linked is None:
        return []
    name = opening.linked.relative_to(opening.source.path).as_posix()
    return [
        f"      follow_links: true  # {_flow(name)} lies elsewhere, behind a link; such files are read, never written"
    ]


def _arms(names: Sequence[str]) -> list[str]:
    """The reference first; in few lines where there are many modalities."""
    only = [f"only {name}: {{plan: only({name})}}" for name in names]
    late = "late: {plan: separate>mean}"
    if len(names) > SHORT:
        return [f"arms: {{all: {{}}, {', '.join(only)}, {late}}}  # all: the reference; late: answers averaged"]
    return [
        "arms:",
        "  all: {}  # the modalities as channels of one network; each other arm is compared with it",
        *(f"  {arm}" for arm in only),
        f"  {late}  # a network for each modality, their answers averaged",
    ]


def _preparation(opening: Opening) -> str:
    """Planned from all cases; on the grid of one modality where the grids of a case differ."""
    if not opening.resample_to:
        return "  preparation: auto"
    planned = dict.fromkeys(("spacing_mm", "interpolation", "intensities"), "auto")
    asked = {"resample_to": opening.resample_to} | planned
    return f"  preparation: {_flow(asked)}  # the modalities lie on different grids"


def _options(opening: Opening) -> list[str]:
    remarks = {name: text for text in opening.unknown for name in [text.split(":")[0]]}
    lines: list[str] = []
    for name, value in opening.source.options.items():
        line, remark = f"        {name}: {_flow(value)}", remarks.get(name, "").partition(": ")[2]
        lines += [f"        # {remark}", line] if name == "regions" else [f"{line}  # {remark}" if remark else line]
    return lines


def _flow(value: Any) -> str:
    """A value as YAML in one line: JSON, which YAML reads, without quotes around plain words."""
    if isinstance(value, str):
        return value if value.replace("_", "").replace("-", "").isalnum() and value[0].isalpha() else json.dumps(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_flow(key)}: {_flow(each)}' for key, each in value.items())}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(_flow(each) for each in value)}]"
    return json.dumps(value)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}"
