"""Which runs of a study's folder were made by other rules than this version's: the same specification, other numbers.

A run's folder is called by the digest of its specification and of the rules that it was carried out by
(:data:`mrfusion.spec.NUMBERS`). Where this version would call it otherwise, or can no longer read the specification,
its numbers are those of another version.
"""

from collections.abc import Collection
from dataclasses import dataclass

from mrfusion.errors import InputError
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.study import StudyFolder


@dataclass(frozen=True)
class OtherRules:
    """The digests of such runs: ``counted`` ones answer the study's design, ``left_out`` ones do not any more."""

    counted: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def rules_of_runs(study: StudyFolder, planned: Collection[str]) -> OtherRules:
    """The finished runs of a folder that were made by other rules; ``planned`` are those that the design asks for."""
    homes = sorted(home for home in study.runs.glob("*") if home.is_dir() and not home.name.startswith("."))
    other = [home.name for home in homes if _is_of_other_rules(RunFolder(home))]
    counted = tuple(digest for digest in other if digest in planned)
    return OtherRules(counted, tuple(digest for digest in other if digest not in planned))


def _is_of_other_rules(run: RunFolder) -> bool:
    try:
        return run.read_spec().digest != run.digest
    except InputError:
        return True
