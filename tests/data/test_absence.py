"""Modality dropout: how often, at least one, and a function of the sample's seed alone; files that a case may lack."""

from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from mrfusion.augmentations._base import Augmentation
from mrfusion.augmentations.light import Light
from mrfusion.case import Case, Cohort
from mrfusion.data.absence import Absence, absence_of, check_files
from mrfusion.data.batch import Batch, Batches, Share, collate
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.load import load_case
from mrfusion.data.sample import Draw, Sampler
from mrfusion.errors import CaseError, SpecError
from mrfusion.spec import Preparation
from mrfusion.training.validate import Samples
from tiny import cohort_of, loaded_cases, run_spec

UNIFORM = Absence((0.5, 0.5, 0.5))
DRAWS = 7000


def counted(absence: Absence, there: tuple[bool, ...], draws: int = DRAWS) -> Counter[tuple[bool, ...]]:
    rows = absence.drawn(torch.tensor([there] * draws), list(range(draws)))
    return Counter(tuple(row) for row in rows.tolist())


def expected(rates: tuple[float, ...], draws: int = DRAWS) -> dict[tuple[bool, ...], float]:
    """Every non-empty set with its probability, written out."""
    weights = {
        row: float(np.prod([1 - r if here else r for here, r in zip(row, rates, strict=True)]))
        for row in product((False, True), repeat=len(rates))
        if any(row)
    }
    return {row: draws * weight / sum(weights.values()) for row, weight in weights.items() if weight}


def test_uniform_is_each_non_empty_set_as_often_as_another() -> None:
    found = counted(UNIFORM, (True, True, True))
    assert len(found) == 7
    assert chisquare(list(found.values())).pvalue > 0.001


@pytest.mark.parametrize("rates", [(0.3, 0.0, 0.0), (0.3, 0.6, 0.9), (0.0, 0.99, 0.99), (0.9, 0.9, 0.9)])
def test_rates_are_those_of_independent_draws_that_keep_one(rates: tuple[float, ...]) -> None:
    found, wanted = counted(Absence(rates), (True, True, True)), expected(rates)
    assert set(found) <= set(wanted)
    often = [row for row, count in wanted.items() if count > 5]
    rest = DRAWS - sum(wanted[row] for row in often)
    seen = [found[row] for row in often] + ([DRAWS - sum(found[row] for row in often)] if rest > 1 else [])
    due = [wanted[row] for row in often] + ([rest] if rest > 1 else [])
    assert chisquare(seen, np.array(due) * sum(seen) / sum(due)).pvalue > 0.001


def test_what_a_case_lacks_is_never_drawn_and_one_always_stays() -> None:
    found = counted(UNIFORM, (True, False, True))
    assert set(found) == {(True, False, True), (True, False, False), (False, False, True)}
    assert chisquare(list(found.values())).pvalue > 0.001
    assert set(counted(Absence((0.99, 0.99, 0.99)), (False, True, False), 50)) == {(False, True, False)}


def test_a_draw_is_a_function_of_its_seed_and_not_of_its_company() -> None:
    present, seeds = torch.ones(6, 3, dtype=torch.bool), [11, 5, 2**62, 5, 0, 7]
    rows = UNIFORM.drawn(present, seeds)
    assert torch.equal(rows[1], rows[3])
    for place, seed in enumerate(seeds):
        assert torch.equal(UNIFORM.drawn(present[:1], [seed])[0], rows[place])


def batches(absence: Absence | None, share: Share | None = None, augmentation: Augmentation | None = None) -> Batches:
    sampler = Sampler(loaded_cases(3), (1, 8, 8), per_case=8, foreground=0.5, every_slice=False, seed=3)
    return Batches(sampler, 4, augmentation, share, absence)


def test_batches_lack_the_same_in_every_reading_and_change_nothing_else() -> None:
    absence = Absence((0.5, 0.5))
    first, again, whole = (list(batches(a, None, Light()).epoch(2)) for a in (absence, absence, None))
    for one, other, full in zip(first, again, whole, strict=True):
        assert torch.equal(one.present, other.present)
        assert torch.equal(one.images, full.images)
        assert full.present.all()
    drawn = torch.cat([batch.present for batch in first])
    assert not drawn.all()
    assert drawn.any(1).all()
    assert not torch.equal(drawn, torch.cat([batch.present for batch in batches(absence).epoch(3)]))


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_draw_the_same_together(processes: int) -> None:
    absence = Absence((0.5, 0.5))
    shares = [list(batches(absence, Share(rank, processes)).epoch(1)) for rank in range(processes)]
    for number, batch in enumerate(batches(absence).epoch(1)):
        assert torch.equal(torch.cat([share[number].present for share in shares]), batch.present)


def test_validation_samples_lack_the_same_in_every_epoch() -> None:
    def seen(absence: Absence | None) -> list[Batch]:
        samples = Samples(loaded_cases(2, shape=(9, 16, 16)), (1, 16, 16), 9, absence)
        return [samples.of_case(index) for index in range(2)]

    first, again = seen(Absence((0.5, 0.5))), seen(Absence((0.5, 0.5)))
    assert all(torch.equal(one.present, other.present) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first[0].present, first[1].present)
    assert all(batch.present.all() for batch in seen(None))


@pytest.fixture
def halved(make_case: Callable[..., Case], tmp_path: Path) -> Cohort:
    """One case with t1 and t2, and the same without t2."""
    whole = make_case("a")
    return Cohort(("t1", "t2"), (whole, Case("b", "b", {"t1": whole.images["t1"]})), ())


def test_a_case_without_a_file_is_zeros_marked_absent(halved: Cohort, tmp_path: Path) -> None:
    prepared = prepare_cohort(halved, Preparation(), tmp_path / "cache")
    whole, lacking = (load_case(case, halved, prepared[case.id], ("t2", "t1"), None) for case in halved.cases)
    assert (whole.present, lacking.present) == ((True, True), (False, True))
    assert (lacking.images.shape[1], lacking.those_present(("t2", "t1"))) == (1, ("t1",))
    spread = lacking.spread(slice(0, 2))
    assert np.array_equal(spread[:, 1], np.asarray(lacking.images[:2, 0], np.float32))
    assert not spread[:, 0].any()
    batch = collate([whole, lacking], [Draw(1, (0, 0, 0)), Draw(0, (0, 0, 0))], (1, 8, 8))
    assert batch.present.tolist() == [[False, True], [True, True]]
    assert batch.images[0, 0].eq(0).all()
    assert np.array_equal(batch.images[0, 1].numpy(), np.asarray(lacking.images[0, 0, :8, :8], np.float32))
    with pytest.raises(CaseError, match="case b: expected at least one of the modalities t2, found t1; add"):
        load_case(halved.cases[1], halved, prepared["b"], ("t2",), None)


def test_a_file_may_be_missing_where_training_left_it_out(halved: Cohort) -> None:
    whole, lacking = halved.cases
    for absence in ("none", "uniform", {"t2": 0.3}, {"t1": 0.3}):
        check_files(whole, run_spec(absence=absence), halved.modalities)
    for absence in ("uniform", {"t2": 0.3}):
        check_files(lacking, run_spec(absence=absence), halved.modalities)
    for absence in ("none", {"t1": 0.3}):
        with pytest.raises(
            CaseError, match=r"case b: t2 is absent, .*the case has t1\. .*'absence: uniform' .*'absence: \{t2: 0"
        ):
            check_files(lacking, run_spec(absence=absence), halved.modalities)
    with pytest.raises(CaseError, match=r"case b: t2 is absent, .*or drop the case"):
        check_files(lacking, run_spec(plan="only(t2)"), ("t2",))


def test_rates_of_modalities_that_are_not_there() -> None:
    cohort = cohort_of(loaded_cases(1))
    assert absence_of(run_spec(), cohort) is None
    assert absence_of(run_spec(absence="uniform"), cohort) == Absence((0.5, 0.5))
    assert absence_of(run_spec(absence={"b": 0.2}), cohort) == Absence((0.0, 0.2))
    with pytest.raises(SpecError, match=r"absence: no modality is called 'c'"):
        absence_of(run_spec(absence={"c": 0.2}), cohort)
    with pytest.raises(SpecError, match="reads one modality, which cannot be absent"):
        absence_of(run_spec(absence="uniform", plan="only(a)"), cohort)
