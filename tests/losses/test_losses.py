"""Every loss keeps one contract, and each is held against its plain formula."""

import pytest
import torch
from torch import Tensor

from mrfusion import families
from mrfusion.losses._base import Loss, Output

OF_OTHER_THINGS = {
    "fusion",
    "similarity",
    "energy",
    "alignment",
}  # losses of what a network gives beside logits have suites of their own
every = pytest.mark.parametrize("name", sorted(set(families.names("losses")) - OF_OTHER_THINGS))
SMOOTH = 1e-5


def random_case(exclusive: bool, grid: tuple[int, ...] = (6, 8), seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits (2, 3, *grid) and a target of class numbers or of masks."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, *grid, generator=generator)
    if exclusive:
        return logits, torch.randint(0, 3, (2, *grid), generator=generator)
    return logits, (torch.rand(2, 3, *grid, generator=generator) < 0.4).float()


def make(text: str, exclusive: bool) -> Loss:
    loss = families.load("losses", text)(exclusive)
    assert isinstance(loss, Loss)
    return loss


def soft_dice(probability: Tensor, target: Tensor) -> Tensor:
    """1 - 2|PT| / (|P| + |T|) of one channel, summed over the whole batch."""
    both = (probability * target).sum()
    return 1 - (2 * both + SMOOTH) / (probability.sum() + target.sum() + SMOOTH)


def plain_regions(logits: Tensor, target: Tensor, weight: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Tensor:
    probability = 1 / (1 + torch.exp(-logits))
    dice = torch.stack([soft_dice(probability[:, c], target[:, c]) for c in range(3)]).mean()
    log = target * probability.log() + (1 - target) * (1 - probability).log()
    return dice - sum(weight[c] * log[:, c].mean() for c in range(3)) / sum(weight)


def plain_labels(logits: Tensor, target: Tensor, weight: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Tensor:
    probability = logits.exp() / logits.exp().sum(1, keepdim=True)
    masks = torch.stack([target == c for c in range(3)], 1).float()
    dice = torch.stack([soft_dice(probability[:, c], masks[:, c]) for c in (1, 2)]).mean()
    each = torch.tensor(weight)[target]
    chosen = probability.gather(1, target[:, None])[:, 0]
    return dice - (each * chosen.log()).sum() / each.sum()


@every
def test_a_scalar_with_a_finite_gradient(name: str) -> None:
    logits, target = random_case(exclusive=True)
    logits.requires_grad_()
    loss = make(name, True)(Output(logits), target)
    assert loss.shape == ()
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad.abs().sum() > 0


@every
def test_lower_where_the_answer_is_better(name: str) -> None:
    _, target = random_case(exclusive=True)
    right = torch.nn.functional.one_hot(target, 3).movedim(-1, 1).float()
    losses = [float(make(name, True)(Output(factor * right), target)) for factor in (-4.0, 0.0, 4.0, 40.0)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(0, abs=1e-4)


@every
def test_finite_on_empty_targets_and_extreme_logits(name: str) -> None:
    target = torch.zeros(2, 6, 8, dtype=torch.long)
    for scale in (0.0, 1.0, 1e4):
        assert make(name, True)(Output(scale * torch.randn(2, 3, 6, 8)), target).isfinite()


@every
def test_bfloat16_logits_are_summed_in_single_precision(name: str) -> None:
    logits, target = random_case(exclusive=True)
    loss = make(name, True)(Output(logits.bfloat16()), target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, make(name, True)(Output(logits.bfloat16().float()), target))


@pytest.mark.parametrize("grid", [(6, 8), (4, 6, 8)])
def test_dice_ce_of_regions_by_formula(grid: tuple[int, ...]) -> None:
    logits, target = random_case(False, grid)
    torch.testing.assert_close(make("dice_ce", False)(Output(logits), target), plain_regions(logits, target))


@pytest.mark.parametrize("grid", [(6, 8), (4, 6, 8)])
def test_dice_ce_of_exclusive_labels_by_formula(grid: tuple[int, ...]) -> None:
    logits, target = random_case(True, grid)
    torch.testing.assert_close(make("dice_ce", True)(Output(logits), target), plain_labels(logits, target))


def test_dice_ce_weighs_the_cross_entropy_of_each_label() -> None:
    logits, target = random_case(True)
    found = make("dice_ce(weight=(0.5,2,5))", True)(Output(logits), target)
    torch.testing.assert_close(found, plain_labels(logits, target, (0.5, 2.0, 5.0)))


def test_dice_ce_weighs_the_cross_entropy_of_each_region() -> None:
    logits, target = random_case(False)
    found = make("dice_ce(weight=(0.5,2,5))", False)(Output(logits), target)
    torch.testing.assert_close(found, plain_regions(logits, target, (0.5, 2.0, 5.0)))


def test_dice_ce_counts_coarser_heads_half_as_much_each() -> None:
    logits, target = random_case(False, (8, 8))
    coarse = [random_case(False, (4, 4), seed=1)[0], random_case(False, (2, 2), seed=2)[0]]
    targets = [target, target[:, :, ::2, ::2], target[:, :, ::4, ::4]]
    each = [plain_regions(x, t) for x, t in zip([logits, *coarse], targets, strict=True)]
    expected = (4 * each[0] + 2 * each[1] + each[2]) / 7
    torch.testing.assert_close(make("dice_ce", False)(Output(logits, coarse), target), expected)


def test_dice_ce_takes_every_second_point_along_the_axes_that_are_coarsened() -> None:
    logits, target = random_case(False, (8, 8))
    coarse = random_case(False, (8, 4), seed=1)[0]
    expected = (2 * plain_regions(logits, target) + plain_regions(coarse, target[:, :, :, ::2])) / 3
    output = Output(logits, [coarse], scales=((1, 1), (1, 2)))
    torch.testing.assert_close(make("dice_ce", False)(output, target), expected)


def test_dice_ce_counts_coarser_heads_of_exclusive_labels_too() -> None:
    logits, target = random_case(True, (8, 8))
    coarse = random_case(True, (4, 4), seed=1)[0]
    expected = (2 * plain_labels(logits, target) + plain_labels(coarse, target[:, ::2, ::2])) / 3
    torch.testing.assert_close(make("dice_ce", True)(Output(logits, [coarse]), target), expected)


def test_cross_entropy_by_formula() -> None:
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 2, 1, 2])
    log = (logits.exp() / logits.exp().sum(1, keepdim=True)).log()
    chosen = log.gather(1, target[:, None])[:, 0]
    torch.testing.assert_close(make("cross_entropy", True)(Output(logits), target), -chosen.mean())
    weight = torch.tensor([1.0, 2.0, 3.0])[target]
    found = make("cross_entropy(weight=(1.0,2.0,3.0))", True)(Output(logits), target)
    torch.testing.assert_close(found, -(weight * chosen).sum() / weight.sum())
    smoothed = make("cross_entropy(smoothing=0.3)", True)(Output(logits), target)
    torch.testing.assert_close(smoothed, -(0.7 * chosen + 0.1 * log.sum(1)).mean())
