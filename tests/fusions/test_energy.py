"""The energy fusion against the method written out voxel by voxel, and every property that the method claims."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.fusions import _space
from mrfusion.fusions._base import Fused, mean_present
from mrfusion.fusions.energy import Energy

GRIDS = {2: (4, 6), 3: (2, 4, 3)}
NEAR: dict[str, Any] = {"rtol": 1e-4, "atol": 5e-6}  # torch's first orthogonal matrix is one in single precision
BOTH = ["energy(width=8)", "energy(width=8,kind=hopfield)"]


def make(text: str = "energy(width=8)", modalities: int = 3, channels: int = 4, dimensions: int = 2) -> Energy:
    """A module away from its start, in double precision and evaluation."""
    torch.manual_seed(3)
    fusion = families.load("fusions", text)(modalities, channels, dimensions).double()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return fusion.eval()


def streams_of(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def masks(modalities: int) -> Tensor:
    """Every set of present modalities but the empty one."""
    rows = [row for row in itertools.product((True, False), repeat=modalities) if any(row)]
    return torch.tensor(rows)


def rms(vector: Tensor) -> Tensor:
    return vector / (vector.square().mean() + 1e-6).sqrt()


class Literal:
    """Method 3.1 at one voxel, with loops and autograd in place of matrices."""

    def __init__(self, fusion: Energy, streams: Tensor, present: list[bool], finer: Tensor | None) -> None:
        self.fusion, law = fusion, fusion.law()
        self.here = [m for m, is_there in enumerate(present) if is_there]
        n = len(self.here)
        self.n, self.p, self.d = n, max(1, n * (n - 1) // 2), fusion.options.width
        self.alpha, self.beta, self.gamma, self.w = law.alpha, law.beta, law.gamma, law.coupling
        self.own = {m: rms(fusion.project[m] @ streams[m]) for m in self.here}
        self.top = None if finer is None else rms(fusion.lift @ finer)

    def parts(self, z: dict[int, Tensor]) -> list[Tensor]:
        evidence = sum(((z[m] - self.own[m]) ** 2).sum() for m in self.here) * self.alpha / (2 * self.n)
        over = self.here if self.top is not None else []
        hierarchy = sum((((z[m] - self.top) ** 2).sum() for m in over), torch.zeros(())) * self.gamma / (2 * self.n)
        two = list(itertools.combinations(self.here, 2))
        apart = sum((self.w[a, b] * ((z[a] - z[b]) ** 2).sum() for a, b in two), torch.zeros(()))
        return [evidence / self.d, hierarchy / self.d, apart * self.beta / (2 * self.p) / self.d]

    def step(self, z: dict[int, Tensor], rho: float) -> tuple[dict[int, Tensor], Tensor, Tensor]:
        """One step, |G|^2 of the gradient of D e, and Lambda."""
        leaves = {m: value.detach().requires_grad_() for m, value in z.items()}
        gradient = torch.autograd.grad(torch.stack(self.parts(leaves)).sum() * self.d, list(leaves.values()))
        gamma = self.gamma if self.top is not None else 0.0
        widest = max(sum(self.w[m, k] for k in self.here if k != m) for m in self.here)
        bound = (self.alpha + gamma) / self.n + 2 * self.beta / self.p * widest
        moved = {m: z[m] - rho / bound * g for m, g in zip(z, gradient, strict=True)}
        return moved, torch.stack([g.square().sum() for g in gradient]).sum(), bound

    def fused(self, z: dict[int, Tensor]) -> tuple[dict[int, Tensor], Tensor]:
        """pi and F."""
        tau, total = torch.nn.functional.softplus(self.fusion.tau), {}
        for m in self.here:
            others = [k for k in self.here if k != m]
            weight = sum(self.w[m, k] for k in others) if others else 1.0
            near = sum((self.w[m, k] / weight * ((z[m] - z[k]) ** 2).sum() for k in others), torch.zeros(()))
            e_m = (((z[m] - self.own[m]) ** 2).sum() + near) / (2 * self.d)
            total[m] = self.fusion.prior[m] @ self.own[m] + self.fusion.bias[m] - e_m / tau
        share = torch.softmax(torch.stack(list(total.values())), 0)
        pi = dict(zip(total, share, strict=True))
        return pi, sum(pi[m] * z[m] for m in self.here)


@pytest.mark.parametrize(("channels", "width"), [(3, 8), (8, 8), (9, 4)])
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("told", [False, True])
def test_the_method_voxel_by_voxel(channels: int, width: int, dimensions: int, told: bool) -> None:
    """Below and above the width of the energy space, where two ways of computing lead to the same numbers."""
    fusion, grid = make(f"energy(width={width})", 3, channels, dimensions), GRIDS[dimensions]
    streams, present = streams_of(2, 3, channels, *grid), torch.tensor([[True, True, True], [True, False, True]])
    finer = streams_of(2, width, *grid, seed=1) if told else None
    fused = fusion(streams, present, finer)
    steps = torch.zeros(2, 4, 3, dtype=torch.float64)
    for case, voxel in itertools.product(range(2), itertools.product(*map(range, grid))):
        at = (case, slice(None), slice(None), *voxel)
        literal = Literal(
            fusion, streams[at], present[case].tolist(), None if finer is None else finer[at[:1] + at[2:]]
        )
        z = literal.own
        for k in range(4):
            steps[case, k] += torch.stack(literal.parts(z)).detach() / torch.Size(grid).numel()
            z = literal.step(z, 1.0)[0] if k < 3 else z
        pi, joined = literal.fused(z)
        skip = streams[at][present[case]].mean(0) + fusion.out @ (fusion.factors().mT @ joined)
        torch.testing.assert_close(fused.skip[(case, slice(None), *voxel)], skip)
        torch.testing.assert_close(fused.record["energy"][(case, *voxel)], sum(literal.parts(z)).detach())
        for m in pi:
            torch.testing.assert_close(fused.record["weights"][(case, m, *voxel)], pi[m].detach())
    torch.testing.assert_close(fused.record["steps"], steps.sum(2))
    torch.testing.assert_close(fused.record["parts"], steps[:, -1])


@pytest.mark.parametrize("told", [False, True])
def test_what_is_handed_on_and_what_losses_read(told: bool) -> None:
    fusion, present = make(channels=3), torch.tensor([[True, False, True]])
    streams, finer = streams_of(1, 3, 3, 2, 2), streams_of(1, 8, 2, 2, seed=1) if told else None
    fused, total = fusion(streams, present, finer), torch.zeros(8, dtype=torch.float64)
    for number, voxel in enumerate(itertools.product(range(2), range(2))):
        given = None if finer is None else finer[(0, slice(None), *voxel)]
        literal = Literal(fusion, streams[(0, slice(None), slice(None), *voxel)], [True, False, True], given)
        z = literal.own
        for _ in range(3):
            z = literal.step(z, 1.0)[0]
        total += literal.fused(z)[1].detach() / 4
        for m in (0, 2):
            torch.testing.assert_close(fused.state["vectors"][0, m, :, number], fusion.factors().mT @ z[m])
    torch.testing.assert_close(fused.handed[0, :, 0, 0], total)
    torch.testing.assert_close(fused.state["vector_weights"], fused.state["weights"].flatten(2))


@pytest.mark.parametrize("rho", [0.1, 1.0, 1.9])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["quadratic", "hopfield"])
def test_the_energy_never_rises(rho: float, dtype: torch.dtype, kind: str) -> None:
    """Random strengths, one to five modalities, every subset, at single voxels; bfloat16 is autocast's."""
    for modalities, seed in itertools.product(range(1, 6), range(3)):
        torch.manual_seed(seed)
        text = f"energy(width=8,steps=12,rho={rho},kind={kind})"
        fusion = families.load("fusions", text)(modalities, 3, 2).to(torch.float32 if dtype.itemsize == 2 else dtype)
        with torch.no_grad():
            for parameter in fusion.parameters():
                parameter.add_(2 * torch.randn_like(parameter))
        present = masks(modalities)
        streams = streams_of(len(present), modalities, 3, 1, 1, seed=seed).to(dtype)
        finer = streams_of(len(present), 8, 1, 1, seed=9).to(dtype)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype.itemsize == 2):
            fused = fusion(streams, present, finer)
        steps = fused.record["steps"]
        assert steps.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        tolerance = (1e-12 if dtype == torch.float64 else 1e-5) * steps[:, :1].clamp(min=1)
        assert (steps[:, 1:] <= steps[:, :-1] + tolerance).all()
        assert (steps >= -tolerance).all()


@pytest.mark.parametrize("rho", [0.1, 1.0, 1.9])
def test_each_step_lowers_the_energy_by_what_the_theorem_says(rho: float) -> None:
    for modalities, seed in itertools.product(range(1, 6), range(4)):
        fusion = make(modalities=modalities)
        with torch.no_grad():
            for parameter in fusion.parameters():
                parameter.add_(torch.randn_like(parameter))
        streams, finer = streams_of(modalities, 4, seed=seed), streams_of(8, seed=seed + 50)
        literal = Literal(fusion, streams, [True] * modalities, finer)
        z = literal.own
        for _ in range(5):
            before = sum(literal.parts(z)) * literal.d
            z, square, bound = literal.step(z, rho)
            assert before - sum(literal.parts(z)) * literal.d >= rho / bound * (1 - rho / 2) * square - 1e-12


@pytest.mark.parametrize("dimensions", [2, 3])
def test_many_steps_lead_to_the_closed_form(dimensions: int) -> None:
    streams, present = streams_of(7, 3, 4, *GRIDS[dimensions]), masks(3)
    finer = streams_of(7, 8, *GRIDS[dimensions], seed=1)
    many = make("energy(width=8,steps=400)", dimensions=dimensions)(streams, present, finer)
    exact = make("energy(width=8,steps=inf)", dimensions=dimensions)(streams, present, finer)
    torch.testing.assert_close(many.skip, exact.skip)
    torch.testing.assert_close(many.state["vectors"], exact.state["vectors"])
    torch.testing.assert_close(many.record["steps"][:, -1], exact.record["steps"][:, -1])
    assert exact.record["steps"].shape == (7, 2)


@pytest.mark.parametrize("text", ["energy(width=8)", "energy(width=8,steps=inf)"])
def test_one_modality_has_nothing_to_disagree_with(text: str) -> None:
    fusion, streams = make(text, 1), streams_of(1, 1, 4, 3, 3)
    fused = fusion(streams, torch.ones(1, 1, dtype=torch.bool))
    own = torch.stack([rms(fusion.project[0] @ x) for x in streams[0, 0].flatten(1).T], 1)
    torch.testing.assert_close(fused.state["vectors"][0, 0], fusion.factors().mT @ own)
    assert fused.record["steps"].abs().max() < 1e-12
    assert torch.equal(fused.record["weights"], torch.ones(1, 1, 3, 3, dtype=torch.float64))


@pytest.mark.parametrize("steps", ["3", "inf"])
def test_what_agrees_has_no_energy(steps: str) -> None:
    fusion = make(f"energy(width=8,steps={steps})")
    with torch.no_grad():
        fusion.project.copy_(fusion.project[:1].expand_as(fusion.project))
    fused = fusion(streams_of(1, 1, 4, 3, 3).expand(-1, 3, -1, -1, -1), masks(3)[:1])
    assert fused.record["steps"].abs().max() < 1e-12
    assert fused.record["energy"].abs().max() < 1e-12
    assert fused.record["without"].abs().max() < 1e-12


@pytest.mark.parametrize("text", BOTH)
def test_the_order_of_the_modalities_does_not_matter(text: str) -> None:
    fusion, order = make(text), torch.tensor([2, 0, 1])
    streams, present = streams_of(2, 3, 4, 3, 3), torch.tensor([[True, True, True], [False, True, True]])
    expected, other = fusion(streams, present), make(text)
    with torch.no_grad():
        for name in ("project", "prior", "bias"):
            getattr(other, name).copy_(getattr(fusion, name)[order])
        if fusion.theta is not None:  # pairs (0,1), (0,2), (1,2) of the old order are (2,0), (2,1), (0,1) of the new
            other.theta.copy_(fusion.theta[[1, 2, 0]])
    found = other(streams[:, order], present[:, order])
    torch.testing.assert_close(found.skip, expected.skip)
    torch.testing.assert_close(found.handed, expected.handed)
    for name in ("weights", "share", "without"):
        torch.testing.assert_close(found.record[name], expected.record[name][:, order])
    for name in ("energy", "steps", "parts"):
        torch.testing.assert_close(found.record[name], expected.record[name])


@pytest.mark.parametrize("text", BOTH)
def test_turning_the_energy_space_changes_nothing(text: str) -> None:
    fusion, turned = make(text), make(text)
    rotation = torch.linalg.qr(streams_of(8, 8, seed=4))[0]
    with torch.no_grad():
        turned.project.copy_(rotation @ fusion.project)
        turned.prior.copy_(fusion.prior @ rotation.mT)
        turned.lift.copy_(rotation @ fusion.lift @ rotation.mT)
        turned.turn.weight = fusion.turn.weight @ rotation.mT
        if fusion.prototypes is not None:
            turned.prototypes.copy_(fusion.prototypes @ rotation.mT)
    streams, present, finer = streams_of(1, 3, 4, 4, 4), masks(3)[:1], streams_of(1, 8, 4, 4, seed=2)
    expected = fusion(streams, present, finer)
    found = turned(streams, present, torch.einsum("de,bexy->bdxy", rotation, finer))
    torch.testing.assert_close(found.skip, expected.skip, **NEAR)
    for name, value in expected.record.items():
        torch.testing.assert_close(found.record[name], value)
    torch.testing.assert_close(found.state["vectors"], expected.state["vectors"], **NEAR)


@pytest.mark.parametrize("text", BOTH)
@pytest.mark.parametrize("filling", [float("nan"), float("inf"), 1e30])
def test_absence_is_the_model_of_the_subset(text: str, filling: float) -> None:
    fusion, streams = make(text, 4), streams_of(1, 4, 4, 4, 4)
    streams[:, [0, 2]] = filling
    subset = make(text, 2)
    with torch.no_grad():
        for name in ("project", "prior", "bias"):
            getattr(subset, name).copy_(getattr(fusion, name)[[1, 3]])
        for name, value in fusion.named_parameters():
            if name not in ("project", "prior", "bias", "theta"):
                dict(subset.named_parameters())[name].copy_(value)
        subset.turn.weight = fusion.turn.weight
        if fusion.theta is not None:
            subset.theta.copy_(fusion.theta[[4]])  # the pair (1, 3)
    finer = streams_of(1, 8, 4, 4, seed=2)
    found = fusion(streams, torch.tensor([[False, True, False, True]]), finer)
    expected = subset(streams[:, [1, 3]], torch.ones(1, 2, dtype=torch.bool), finer)
    torch.testing.assert_close(found.skip, expected.skip, **NEAR)
    torch.testing.assert_close(found.handed, expected.handed)
    torch.testing.assert_close(found.record["share"][:, [1, 3]], expected.record["share"])
    for name in ("energy", "steps", "parts"):
        torch.testing.assert_close(found.record[name], expected.record[name])
    torch.testing.assert_close(found.record["without"][:, [1, 3]], expected.record["without"])


@pytest.mark.parametrize("text", BOTH)
def test_neither_tiles_nor_company_change_the_energy(text: str) -> None:
    fusion, streams = make(text), streams_of(2, 3, 4, 8, 6)
    present = torch.tensor([[True, True, True], [True, True, False]])
    whole = fusion(streams, present)
    tiles = [fusion(streams[1:, :, :, rows, :4], present[1:]) for rows in (slice(0, 4), slice(4, 8))]
    for name, axis in (("energy", 1), ("weights", 2)):
        found = torch.cat([tile.record[name] for tile in tiles], axis)
        torch.testing.assert_close(found, whole.record[name][1:, ..., :4])
    torch.testing.assert_close(torch.cat([tile.handed for tile in tiles], 2), whole.handed[1:, ..., :2])


def test_weights_of_the_present_add_up_to_one() -> None:
    fused = make(modalities=4)(streams_of(15, 4, 4, 3, 3), masks(4))
    torch.testing.assert_close(fused.record["weights"].sum(1), torch.ones(15, 3, 3, dtype=torch.float64))
    assert (fused.record["weights"][~masks(4)] == 0).all()


@pytest.mark.parametrize("text", ["energy", "energy(kind=hopfield)", "energy(steps=inf,exchange=true)"])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_starts_as_the_mean_to_the_bit(text: str, dimensions: int) -> None:
    torch.manual_seed(0)
    fusion = families.load("fusions", text)(3, 5, dimensions).train()
    streams, present = streams_of(7, 3, 5, *GRIDS[dimensions]).float(), masks(3)
    fused = fusion(streams, present)
    assert torch.equal(fused.skip, mean_present(streams, present))
    assert torch.equal(fused.streams[present], streams[present])


def test_exchange_reaches_the_streams_and_leaves_the_skip() -> None:
    streams, present = streams_of(1, 3, 4, 3, 3), torch.tensor([[True, False, True]])
    plain, more = (make(text)(streams, present) for text in ("energy(width=8)", "energy(width=8,exchange=true)"))
    torch.testing.assert_close(more.skip, plain.skip)
    change = plain.skip - mean_present(streams, present)
    torch.testing.assert_close(more.streams[:, 0], streams[:, 0] + change)


@pytest.mark.parametrize("text", BOTH)
def test_everything_recorded_is_typed_and_detached(text: str) -> None:
    fused = make(text)(streams_of(2, 3, 4, 4, 4).requires_grad_(), masks(3)[:2])
    shapes = {"energy": (2, 4, 4), "weights": (2, 3, 4, 4), "share": (2, 3), "steps": (2, 4), "parts": (2, 3)}
    assert {name: tuple(value.shape) for name, value in fused.record.items()} == shapes | {"without": (2, 3)}
    assert not any(value.requires_grad for value in fused.record.values())
    assert fused.state["energy"].requires_grad
    assert fused.state["vectors"].requires_grad


def test_the_factors_stay_orthogonal() -> None:
    fusion = make().train()
    optimiser = torch.optim.SGD(fusion.parameters(), lr=0.5)
    for seed in range(3):
        optimiser.zero_grad()
        fused: Fused = fusion(streams_of(1, 3, 4, 4, 4, seed=seed), masks(3)[:1])
        (fused.state["vectors"][:, :, :3].square().sum() + fused.skip.square().sum()).backward()
        optimiser.step()
    q = fusion.factors()
    torch.testing.assert_close(q.mT @ q, torch.eye(8, dtype=torch.float64), **NEAR)


@pytest.mark.parametrize("text", BOTH)
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("channels", [4, 9])
def test_work_in_stretches_is_the_same_work(
    text: str, dimensions: int, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outcomes and gradients, with rows that the stretches do not divide."""
    grid = (5, 4, 3)[:dimensions]
    present, answers = masks(3)[:2], []
    for points in (10_000, 1):
        monkeypatch.setitem(_space.POINTS, "cpu", points)
        fusion = make(text, 3, channels, dimensions)
        streams = streams_of(2, 3, channels, *grid).requires_grad_()
        finer = streams_of(2, 8, *grid, seed=1).requires_grad_()
        fused = fusion(streams, present, finer)
        outcomes = [fused.skip, fused.handed, *(v for v in fused.state.values() if v.requires_grad)]
        sum((v * streams_of(*v.shape, seed=2)).sum() for v in outcomes).backward()
        gradients = [p.grad for p in fusion.parameters()]
        answers.append([*outcomes, *fused.record.values(), streams.grad, finer.grad, *gradients])
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_through_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_space.POINTS, "cpu", 1)
    fusion, present = make(modalities=2, channels=2), torch.tensor([[True, True]])

    def skip(streams: Tensor) -> Tensor:
        return fusion(streams, present).skip

    assert torch.autograd.gradcheck(skip, (streams_of(1, 2, 2, 4, 1).requires_grad_(),))


def test_ablations_take_their_parts_out() -> None:
    streams, present, finer = streams_of(1, 3, 4, 3, 3), masks(3)[:1], streams_of(1, 8, 3, 3, seed=1)
    for option, part in (("dependency", 2), ("hierarchy", 1)):
        fusion = make(f"energy(width=8,{option}=false)")
        assert fusion(streams, present, finer).record["parts"][0].nonzero().flatten().tolist() == [
            i for i in range(3) if i != part
        ]
    assert make("energy(width=8,prior=false)").prior is None
    still = make("energy(width=8,steps=0)")(streams, present, finer).record
    assert still["steps"].shape == (1, 1)
    assert still["parts"][0, 0] == 0


@pytest.mark.parametrize(
    "options",
    ["steps=-1", "steps=1.5", "steps=1001", "steps=1e300", "rho=2", "rho=0", "width=0", "kind=other", "step=2"],
)
def test_options_that_cannot_be(options: str) -> None:
    with pytest.raises(SpecError, match="energy"):
        families.load("fusions", f"energy({options})")(2, 4, 2)


def test_a_hopfield_energy_has_no_closed_form_and_levels_share_a_width() -> None:
    with pytest.raises(SpecError, match="no closed form"):
        families.load("fusions", "energy(kind=hopfield,steps=inf)")(2, 4, 2)
    with pytest.raises(SpecError, match="found 5 at a finer level and 8 at the next"):
        make()(streams_of(1, 3, 4, 2, 2), masks(3)[:1], streams_of(1, 5, 2, 2))
