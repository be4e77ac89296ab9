"""The losses on energies: their 0 and 1 cases, what leaves them as they are, their memory, and their place in a run."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.losses._base import Output, Samples
from mrfusion.losses._factors import direction, distribution, measure
from mrfusion.losses._levels import class_energies, class_masks
from mrfusion.losses._points import within_share
from mrfusion.run_folder.quantity import SECONDS, Quantity
from tiny import fitted, interrupted, run_spec, training_of, weights_of

BOTH = ["dice_ce", "energy", "alignment"]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def of_energies(*levels: Tensor, channels: int = 2) -> Output:
    return Output(torch.zeros(len(levels[0]), channels, 4, 4), states=[{"energy": energy} for energy in levels])


# -- cohort loss


def test_it_is_0_where_each_class_sits_on_its_own_level_and_1_where_they_coincide() -> None:
    there = torch.ones(3, 2, dtype=torch.bool)
    assert within_share(torch.tensor([[1.0, 5.0]] * 3), there) == 0
    assert within_share(torch.tensor([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]]), there) == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), p=st.sampled_from([-7.0, 0.1, 3.0]), q=st.floats(-5, 5), lacking=st.integers(0, 4))
def test_it_lies_between_and_is_blind_to_scale_and_shift(seed: int, p: float, q: float, lacking: int) -> None:
    values, there = random(6, 3, seed=seed), torch.ones(6, 3, dtype=torch.bool)
    there[:lacking, 1] = False
    found = within_share(values, there)
    assert 0 <= found <= 1
    torch.testing.assert_close(within_share(p * values + q, there), found, rtol=1e-5, atol=1e-7)


def test_it_is_the_plain_variance_while_one_class_has_been_seen() -> None:
    there = torch.tensor([[True, False]] * 3)
    assert within_share(torch.tensor([[1.0, 9.0], [2.0, 7.0], [3.0, 0.0]]), there) == pytest.approx(2 / 3)
    assert within_share(torch.zeros(0, 2), torch.zeros(0, 2, dtype=torch.bool)) == 0


def test_by_hand_with_a_sample_that_lacks_a_class() -> None:
    """Regions: sample 0 has background 1 and region 3, sample 1 background alone, 2."""
    energy = torch.tensor([[[1.0, 1.0], [3.0, 3.0]], [[2.0, 2.0], [2.0, 2.0]]])
    target = torch.zeros(2, 1, 2, 2)
    target[0, 0, 1] = 1
    loss = families.load("losses", "energy")(False)
    within, total = (0.25 + 0.25 + 0) / 3, (1 + 1 + 0) / 3
    output = Output(torch.zeros(2, 1, 2, 2), states=[{"energy": energy}])
    assert loss(output, target).total == pytest.approx(within / total)
    assert list(loss(output, target).terms) == ["level0"]


@pytest.mark.parametrize("exclusive", [True, False])
def test_classes_on_a_coarser_padded_grid(exclusive: bool) -> None:
    """Labels on 3 x 4 points, energies on the 2 x 2 of the next level: means weighted by shares, padding nowhere."""
    labels = torch.tensor([[[0, 1, 1, 1], [0, 1, 1, 1], [1, 1, 0, 0]]])
    masks = class_masks(labels if exclusive else labels.unsqueeze(1).float(), 2, exclusive=exclusive)
    means, count = class_energies(torch.tensor([[[1.0, 2.0], [4.0, 8.0]]]), masks, (2, 2))
    assert count.tolist() == [[1.0, 2.0]]
    assert means[0].tolist() == pytest.approx([(0.5 * 1 + 0.5 * 8) / 1, (0.5 * 1 + 1 * 2 + 0.5 * 4) / 2])


def test_a_coarse_voxel_counts_by_its_share_along_the_axes_that_are_coarsened() -> None:
    """Two rows of two columns; only the columns were halved, so each coarse voxel stands for two of one row."""
    masks = torch.tensor([[[[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]])
    means, count = class_energies(torch.tensor([[[1.0, 2.0], [4.0, 8.0]]]), masks, (1, 2))
    torch.testing.assert_close(count, torch.tensor([[1.5]]))
    torch.testing.assert_close(means, torch.tensor([[(1.0 + 0.5 * 2.0) / 1.5]]))


def test_a_case_of_a_class_is_its_mean_over_all_voxels() -> None:
    means, count = class_energies(random(2, 3, 4), class_masks(torch.tensor([1, 0]), 3, exclusive=True), (4, 4))
    assert count.tolist() == [[0, 1, 0], [1, 0, 0]]
    torch.testing.assert_close(means[0, 1], random(2, 3, 4)[0].mean())


def test_the_queue_holds_the_last_samples_and_sends_no_gradient() -> None:
    loss = families.load("losses", "energy(queue=3)")(True)
    target = torch.tensor([0, 1])
    for step in range(3):
        energies = [random(2, 4, 4, seed=10 * step + level).requires_grad_() for level in range(2)]
        loss(of_energies(*energies), target).total.backward()
        loss(of_energies(random(2, 4, 4, seed=99), random(2, 4, 4, seed=98)), target)  # validation: seen, not kept
        loss(of_energies(*energies), target)
        loss.remember()
    assert [tuple(q.shape) for q in loss.points.queue.values()] == [(3, 2), (3, 2)]
    first = [energies[0].mean((1, 2))[i].item() for i in range(2)]
    assert loss.points.queue[0][1:].nan_to_num().tolist() == [
        pytest.approx([first[0], 0]),
        pytest.approx([0, first[1]]),
    ]
    other = families.load("losses", "energy(queue=3)")(True)
    other.recall(loss.memory())
    fresh = of_energies(random(2, 4, 4, seed=5), random(2, 4, 4, seed=6))
    assert torch.equal(other(fresh, target).total, loss(fresh, target).total)


def test_it_pulls_energies_of_a_class_together() -> None:
    levels = random(6, 1, 1).requires_grad_()
    target = torch.tensor([0, 0, 0, 1, 1, 1])
    loss = families.load("losses", "energy(queue=0)")(True)
    optimiser = torch.optim.SGD([levels], lr=0.3)
    for _ in range(100):
        optimiser.zero_grad()
        total = loss(of_energies(levels), target).total
        total.backward()
        optimiser.step()
    assert total < 0.02


# -- patients


def patient_loss(text: str, energies: Tensor, ids: str, categories: list[int]) -> Tensor:
    """The loss of samples (b, 2, 2) of the cases that the letters name, in a segmentation of two regions."""
    output = Output(torch.zeros(len(energies), 2, 2, 2), states=[{"energy": energies}])
    samples = Samples(tuple(ids), torch.tensor(categories))
    return families.load("losses", text)(False)(output, torch.zeros(len(energies), 2, 2, 2), samples).total


def test_a_patient_is_the_mean_of_all_voxels_of_its_samples_and_a_category_is_the_patient_s() -> None:
    """a: samples of 1 and 3, so 2; b: 4; c: 10; a and b of one category: within (1 + 1 + 0) / 3, total by hand."""
    energies = torch.tensor([1.0, 10.0, 3.0, 4.0]).view(4, 1, 1).expand(4, 2, 2)
    found = patient_loss("energy(of=patients)", energies, "acab", [0, 1, 0, 0])
    mean = (2 + 4 + 10) / 3
    total = ((2 - mean) ** 2 + (4 - mean) ** 2 + (10 - mean) ** 2) / 3
    assert found == pytest.approx((2 / 3) / total)


@pytest.mark.parametrize("category", [-1, 3])
def test_patients_of_one_category_have_the_plain_variance_within_it(category: int) -> None:
    energies = torch.tensor([1.0, 3.0]).view(2, 1, 1).expand(2, 2, 2)
    assert patient_loss("energy(of=patients)", energies, "ab", [category] * 2) == pytest.approx(1.0)


def test_a_classification_s_patients_are_its_classes() -> None:
    """Both choices say the same where each case has one sample and its class is the whole case's."""
    energies, target = random(6, 4, 4), torch.tensor([0, 1, 0, 1, 1, 0])
    one, other = (families.load("losses", f"energy(of={of})")(True) for of in ("classes", "patients"))
    samples = Samples(tuple("abcdef"), target)
    output = Output(torch.zeros(6, 2), states=[{"energy": energies}])
    torch.testing.assert_close(one(output, target).total, other(output, target, samples).total)


def test_the_queue_of_patients_holds_each_once_with_its_last_energy() -> None:
    loss, zeros = families.load("losses", "energy(of=patients,queue=3)")(False), torch.zeros(2, 1, 2, 2)
    for step, ids in enumerate(("ab", "cd", "ce")):
        energies = torch.full((2, 2, 2), float(step)).requires_grad_()
        output = Output(torch.zeros(2, 1, 2, 2), states=[{"energy": energies}])
        loss(output, zeros, Samples(tuple(ids), torch.tensor([0, 1]))).total.backward()
        loss.remember()
    assert loss.points.names == ["d", "c", "e"]
    assert loss.points.queue[0].tolist() == [[1.0, 1.0], [2.0, 0.0], [2.0, 1.0]]
    other = families.load("losses", "energy(of=patients,queue=3)")(False)
    other.recall(loss.memory())
    fresh = Output(torch.zeros(2, 1, 2, 2), states=[{"energy": torch.rand(2, 2, 2)}])
    samples = Samples(("c", "z"), torch.tensor([0, 0]))
    assert torch.equal(other(fresh, zeros, samples).total, loss(fresh, zeros, samples).total)
    values = [float(fresh.states[0]["energy"][i].mean()) for i in range(2)] + [1.0, 2.0]  # c anew, z, d, e
    expected = within_share(torch.tensor(values).unsqueeze(1).expand(4, 2),
                            torch.tensor([[True, False], [True, False], [False, True], [False, True]]))  # fmt: skip
    torch.testing.assert_close(loss(fresh, zeros, samples).total, expected)


# -- alignment


def blocks_of(vectors: list[Tensor]) -> Tensor:
    """One case, one factor, one point."""
    return torch.stack(vectors).view(1, len(vectors), 1, -1, 1)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_direction_of_the_same_and_of_the_opposite(scale: float) -> None:
    v, half = random(8), torch.full((1, 2, 1), 0.5, dtype=torch.float64)
    assert direction(blocks_of([v, scale * v]), half).item() == pytest.approx(0, abs=1e-12)
    assert direction(blocks_of([v, -scale * v]), half).item() == pytest.approx(1)
    assert 0 < direction(blocks_of([v, random(8, seed=1)]), half).item() < 1


def test_what_is_equal_is_aligned() -> None:
    vectors = random(2, 1, 8, 40).expand(-1, 3, -1, -1)
    found = measure(vectors, torch.full((2, 3, 40), 1 / 3, dtype=torch.float64), torch.ones(2, 3) > 0, 4)
    assert found.direction.abs().max() < 1e-12
    assert found.distribution.abs().max() < 1e-12


def test_distribution_sees_the_mean_and_the_spread() -> None:
    same, here = random(1, 1, 1, 4, 500).expand(-1, 2, -1, -1, -1).clone(), torch.ones(1, 2, 1, 1, 1)
    moved, wider = same.clone(), same.clone()
    moved[:, 1] += 1
    wider[:, 1] *= 3
    assert distribution(moved, here).item() == pytest.approx(2 * 4 * 0.25 / 2 / 4, rel=0.2)  # |mu_m - mu|^2 / tr S
    assert distribution(wider, here).item() > 0.3


def test_independence_and_floor() -> None:
    independent, one = random(1, 1, 8, 20_000), random(1, 1, 1, 20_000)
    weights, there = torch.ones(1, 1, 20_000), torch.ones(1, 1) > 0
    assert measure(independent, weights, there, 4).independence < 1e-3
    assert measure(one.expand(-1, -1, 8, -1), weights, there, 4).independence == pytest.approx(1, rel=1e-3)
    assert measure(independent, weights, there, 4).floor == 0
    assert measure(0.1 * independent, weights, there, 4).floor == pytest.approx(0.5 / 0.1 - 1, rel=0.02)


@pytest.mark.parametrize("filling", [0.0, 7.0])
def test_what_is_absent_is_not_measured(filling: float) -> None:
    vectors, weights = random(2, 3, 8, 30), torch.full((2, 3, 30), 0.5, dtype=torch.float64)
    present = torch.tensor([[True, True, False]] * 2)
    vectors[:, 2], weights[:, 2] = filling, 0
    found = measure(vectors, weights, present, 4).terms()
    expected = measure(vectors[:, :2], weights[:, :2], present[:, :2], 4).terms()
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize("aligned", [0, 1, 2])
def test_only_aligned_factors_count(aligned: int) -> None:
    state = {"vectors": random(2, 3, 8, 30), "vector_weights": torch.full((2, 3, 30), 1 / 3, dtype=torch.float64)}
    state |= {"present": torch.ones(2, 3) > 0, "energy": random(2, 2, 2)}
    loss = families.load("losses", f"alignment(factors=2,aligned={aligned})")(True)
    found = loss(Output(torch.zeros(2, 2), states=[{}, state]), torch.zeros(2))
    each = [found.terms[f"level1/factor{r + 1}/direction"] + 0.5 * found.terms[f"level1/factor{r + 1}/distribution"]
            for r in range(2)]  # fmt: skip
    rest = 0.1 * found.terms["level1/independence"] + 0.1 * found.terms["level1/floor"]
    torch.testing.assert_close(found.total, sum(each[:aligned], torch.zeros(())) / max(1, aligned) + rest)


def test_errors_say_what_to_do() -> None:
    for name in ("energy", "alignment"):
        with pytest.raises(SpecError, match=r"such as separate\[energy\]"):
            families.load("losses", name)(True)(Output(torch.zeros(1, 2), states=[{}]), torch.zeros(1))
    with pytest.raises(SpecError, match="aligned must be at most factors, 2, found 3"):
        families.load("losses", "alignment(factors=2,aligned=3)")(True)
    with pytest.raises(SpecError, match="queue"):
        families.load("losses", "energy(queue=-1)")(True)
    state = {"vectors": random(1, 2, 9, 3), "energy": random(1, 2, 2)}
    with pytest.raises(SpecError, match="divides the energy's width 9, found 4"):
        families.load("losses", "alignment")(True)(Output(torch.zeros(1, 2), states=[state]), torch.zeros(1))


# -- in a run


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"head": "labels"},
        {"sampling": {"dimensions": 3}, "network": "residual(base=4,stages=1)"},
        {"task": "classification", "losses": ["cross_entropy", "energy", "alignment"]},
        {"plan": "separate[mean,energy(exchange=true,width=8)]>mean"},
        {"losses": ["dice_ce", "energy(of=patients,queue=3)", "alignment"]},
    ],
    ids=["regions", "labels", "3-D", "classes", "late", "patients"],
)
def test_a_training_with_energies_resumes_in_the_same_bits(changes: dict, tmp_path: Path) -> None:
    base = {
        "plan": "separate[energy(width=8)]",
        "losses": BOTH,
        "balancer": "static(energy=0.1,alignment=0.1,warm=0.5)",
    }
    spec = run_spec(**(base | changes), budget={"epochs": 2})
    whole = training_of(spec, tmp_path / "whole")
    expected = fitted(spec, whole)
    resumed = interrupted(spec, tmp_path / "broken", at=3)  # before the first epoch, after it, after the second
    rows = [[row for row in h.rows if row[1] != SECONDS] for h in (expected, fitted(spec, resumed))]
    assert rows[0] == rows[1]
    assert all(torch.equal(weights_of(resumed)[name], value) for name, value in weights_of(whole).items())
    weights = expected.of(Quantity.parse("weight/energy"))
    assert weights[0] < weights[1] <= 0.1 + 1e-9


def test_a_base_without_energies_trains_as_if_their_losses_were_not_there(tmp_path: Path) -> None:
    """What a search that places energies begins with; without needed=false it is refused."""
    late = {"plan": "separate>mean", "budget": {"epochs": 1}}
    losses = ["dice_ce", "energy(needed=false)", "alignment(needed=false)"]
    spec = run_spec(**late, losses=losses, balancer="static(energy=0.1,alignment=0.1)")
    plain, theirs = training_of(run_spec(**late), tmp_path / "plain"), training_of(spec, tmp_path / "theirs")
    fitted(run_spec(**late), plain)
    history = fitted(spec, theirs)
    assert history.of(Quantity.parse("train/energy")) == [0.0]
    assert all(torch.equal(weights_of(theirs)[name], value) for name, value in weights_of(plain).items())
    for loss in ("energy", "alignment"):
        with pytest.raises(SpecError, match=rf"or {loss}\(needed=false\) where a search places them"):
            families.load("losses", loss)(False)(Output(torch.zeros(1, 2, 4, 4)), torch.zeros(1, 2, 4, 4))


def test_the_weights_of_a_static_balancer_grow() -> None:
    balancer = families.load("balancers", "static(energy=0.2,warm=0.1)")()
    parameter = torch.nn.Parameter(torch.ones(()))
    found = []
    for share in (0.0, 0.05, 0.1, 0.9):
        balancer.at(share)
        found.append(balancer.backward({"a": parameter * 1, "energy": parameter * 1}, [parameter], Tensor.backward))
    assert [each["a"] for each in found] == [1, 1, 1, 1]
    assert [each["energy"] for each in found] == pytest.approx([0, 0.1, 0.2, 0.2])
    with pytest.raises(SpecError, match="warm"):
        families.load("balancers", "static(warm=2)")()
