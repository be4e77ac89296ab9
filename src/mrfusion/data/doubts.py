"""What a study hears of its data before a run: an examination twice, regions and classes without cases."""

import hashlib
from collections.abc import Mapping, Sequence

from mrfusion.case import Cohort, Split
from mrfusion.data.prepared import Prepared
from mrfusion.errors import CaseError


def check_twins(cohort: Cohort, prepared: Mapping[str, Prepared]) -> None:
    """CaseError where two patients have an image of one examination: it would stand on both sides of a split.

    Told by the middle slice of each modality as it was prepared, in which neither the files' names nor how they were
    packed, nor what else a case has, matter.
    """
    seen: dict[tuple[str, str], str] = {}
    cases = {case.id: case for case in cohort.cases}
    for name, one in prepared.items():
        for modality in one.modalities:
            content = _middle(one, modality)
            twin = seen.setdefault((modality, content), name) if content else name
            if cases[twin].patient != cases[name].patient:
                places = [cases[case].images[modality] for case in (name, twin)]
                raise CaseError(
                    f"case {name} ({places[0]}) has voxel for voxel the {modality} of case {twin} ({places[1]}), which "
                    "is of another patient; one examination under two names would stand on both sides of a split: drop "
                    "one, or give both the same patient"
                )


def doubts_of(cohort: Cohort, prepared: Mapping[str, Prepared], splits: Sequence[Split]) -> list[str]:
    """Notes: regions and modalities that no case has, and folds that train without a class, a region or a modality."""
    has = {name: _has(cohort, name, one) for name, one in prepared.items()}
    known = [*(region.name for region in cohort.regions), *cohort.classes]
    nowhere = [name for name in known if not any(name in of_case for of_case in has.values())]
    notes = [in_no_case(name, len(has)) for name in nowhere]
    for number, split in enumerate(splits):
        lacking = [n for n in known if n not in nowhere and not any(n in has.get(case, ()) for case in split.train)]
        if lacking:
            notes.append(
                f"fold {number} trains without a single case of {', '.join(lacking)}; take other folds, or add patients"
            )
    return [*notes, *_modalities_missed(cohort, splits)]


def in_no_case(region: str, cases: int) -> str:
    """The note on a region that none of so many cases has."""
    return (
        f"{region} is in none of the {cases} cases: where both masks are empty the Dice is 1, which lifts every mean; "
        "look at the values in the layout's options (another convention?), or leave it out"
    )


def _has(cohort: Cohort, name: str, one: Prepared) -> set[str]:
    """The regions that the case has voxels of, or its class."""
    if cohort.classes:
        return {cohort.case(name).label or ""}
    return {r.name for r in cohort.regions if any(one.label_voxels.get(value) for value in r.labels)}


def _modalities_missed(cohort: Cohort, splits: Sequence[Split]) -> list[str]:
    """Notes on modalities that no case has, or none of those that a fold trains on."""
    has = {case.id: set(case.images) for case in cohort.cases}
    nowhere = [name for name in cohort.modalities if not any(name in images for images in has.values())]
    notes = [f"no case has {name}; leave it out, or mend its name in the layout's options" for name in nowhere]
    for number, split in enumerate(splits):
        lacking = [n for n in cohort.modalities if n not in nowhere and not any(n in has[case] for case in split.train)]
        if lacking:
            notes.append(
                f"fold {number} trains without a single {', '.join(lacking)}; take other folds, or leave them out"
            )
    return notes


def _middle(one: Prepared, modality: str) -> str:
    """A digest of the middle slice of one modality, cut to itself; empty where nothing is in it."""
    images = one.images_on_disk((modality,))
    middle = images[len(images) // 2]
    return (
        hashlib.blake2b(middle.tobytes() + str(images.shape).encode(), digest_size=12).hexdigest()
        if middle.any()
        else ""
    )
