"""From the sources of a specification to what a run reads: a cohort, its prepared cases, the split of every fold."""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mrfusion import families
from mrfusion.case import Cohort, Split, join_cohorts
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.doubts import check_twins, doubts_of
from mrfusion.data.prepared import Prepared
from mrfusion.data.split import make_splits, strata_of
from mrfusion.data.split_file import read_splits
from mrfusion.errors import CaseError, InputError, Note, SpecError
from mrfusion.layouts._base import links_followed
from mrfusion.progress import Progress
from mrfusion.spec import Data, Source, SplitRule


@dataclass(frozen=True)
class RunData:
    """A cohort, its prepared cases by id, the split of every fold; ``notes`` are for the user."""

    cohort: Cohort
    prepared: Mapping[str, Prepared]
    splits: tuple[Split, ...]
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Of the cohort's ids, labels, file names and sizes, and of how its patients are divided."""
        parts = [[split.train, split.val, split.test] for split in self.splits]
        return f"{self.cohort.fingerprint}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]}"


def read_data(data: Data, *, task: str, cache: Path, progress: Progress) -> RunData:
    """Read, prepare (from the cache where nothing has changed) and split; every case must have what ``task`` needs."""
    cohort = cohort_of(data, task)
    prepared = prepare_cohort(cohort, data.preparation, cache, workers=2, progress=progress)
    check_twins(cohort, prepared)
    splits, notes = split_cohort(cohort, {name: one.label_voxels for name, one in prepared.items()}, data.split)
    said = (f"{name}: {note}" for name, one in prepared.items() for note in one.notes)
    return RunData(cohort, prepared, tuple(splits), (*notes, *doubts_of(cohort, prepared, splits), *said))


def cohort_of(data: Data, task: str) -> Cohort:
    """The cases of a specification, nothing read yet but their names; each must have what ``task`` needs."""
    cohort = with_modalities(read_cohort(data.sources), data.modalities)
    _check_task(cohort, task)
    return cohort


def read_cohort(sources: Sequence[Source]) -> Cohort:
    """Every source through its layout, joined; InputError where a folder is not there or the sources disagree."""
    for source in sources:
        if not source.path.exists():
            raise InputError(f"expected data at {source.path.absolute()}, found nothing; mend data.sources.path")
    return join_cohorts(map(_of_source, sources))


def _of_source(source: Source) -> Cohort:
    with links_followed(source.follow_links):
        cohort: Cohort = families.load("layouts", source.layout, source.options)(source.path)
    if not source.prefix:
        return cohort
    cases = (replace(c, id=source.prefix + c.id, patient=source.prefix + c.patient) for c in cohort.cases)
    return replace(cohort, cases=tuple(cases))


def with_modalities(cohort: Cohort, names: Sequence[str]) -> Cohort:
    """The cohort with these modalities, also those that none of its cases has; its own where none are named.

    InputError where no case has any of them.
    """
    if not names:
        return cohort
    if not any(set(names) & set(case.images) for case in cohort.cases):
        raise InputError(
            f"expected cases with some of {', '.join(names)}, found {', '.join(cohort.modalities)}; what is the same "
            "must be called the same, by the layout's options, as in folder(modalities={'t1c': 'T1POST'}, ..)"
        )
    return replace(cohort, modalities=tuple(names))


def recognised(path: Path) -> str:
    """The text of the one layout that fits what lies at ``path``; SpecError where none does, or several do."""
    if not path.exists():
        raise InputError(f"expected data at {path.absolute()}, found nothing")
    names = families.names("layouts")
    fitting = {name: text for name in names if (text := families.module_of("layouts", name).fits(path))}
    beside = {name for name in fitting if getattr(families.module_of("layouts", name), "BESIDE", False)}
    found = [text for name, text in fitting.items() if name not in beside] or list(fitting.values())
    if not found:
        raise SpecError(
            f"no layout knows {path} by its names; say with --layout how it lies on disk, as in "
            f"\"folder(modalities=['t1','t2'],label='seg',regions={{'lesion':[1]}})\". Known: {', '.join(names)}"
        )
    if len(found) > 1:
        raise SpecError(f'{path} could be {" or ".join(found)}; say which with --layout, as in --layout "{found[0]}"')
    for name in sorted(name for name in beside if fitting[name] not in found):
        warnings.warn(f"{path} is read as {found[0]}; there is a {name} too, for --layout {name}", Note, stacklevel=2)
    return str(found[0])


def split_cohort(
    cohort: Cohort, label_voxels: Mapping[str, Mapping[int, int]], rule: SplitRule
) -> tuple[list[Split], tuple[str, ...]]:
    """The split of every fold, and what has to be said of it; ``label_voxels`` counts each label of each case."""
    strata = strata_of(cohort, label_voxels)
    if rule.file is not None:
        return read_splits(rule.file, cohort, strata, val_share=rule.val_share, seed=rule.seed)
    shares = {"val_share": rule.val_share, "test_share": rule.test_share}
    return make_splits(cohort, strata, folds=rule.folds, seed=rule.seed, **shares), ()


def _check_task(cohort: Cohort, task: str) -> None:
    asked = families.load("tasks", task)()
    asked.check(cohort)
    for case in cohort.cases:
        if not asked.is_labelled(case):
            raise CaseError(f"case {case.id} has no label; drop the case, only 'mrfusion predict' can do without")
