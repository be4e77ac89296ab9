"""Streams descend an energy of evidence, hierarchy and dependency; what they agree on joins by energy, all recorded."""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from mrfusion.errors import SpecError
from mrfusion.fusions._base import Fused, Fusion, mean_present, where_present
from mrfusion.fusions._energy import Law
from mrfusion.fusions._hopfield import Hopfield
from mrfusion.fusions._options import Options, read_options
from mrfusion.fusions._quadratic import Quadratic
from mrfusion.fusions._space import Frame, few_of, is_exporting, onto, spread

SAMPLES = 128  # points of each case whose vectors losses may read
_ONE = math.log(math.e - 1)  # softplus of it is 1


class Energy(Fusion):
    """Energy-guided hierarchical fusion, after E2PA (ECCV 2024), whose equations are not given; ours, method 3.1.

    ============ ===============================================================================================
    U_m          RMSNorm(P_m x_m): the streams in one space of ``width`` D at every level; ``project`` = P
    T            RMSNorm(R Down(F of the nearest finer energy level)), ``lift`` = R; none at the finest
    e            1/D [alpha/2n sum |Z_m - U_m|^2 + gamma/2n sum |Z_m - T|^2 + beta/2p sum_m<n w_mn |Z_m - Z_n|^2]
    Z            from U, ``steps`` gradient steps of ``rho`` / Lambda; ``steps=inf``: the minimum itself
    pi_m         softmax over the present of b_m - e_m / tau; F = sum_m pi_m Z_m
    skip         mean_m x_m + O Q' F, per grid point; Q orthogonal, whose columns are the factors of the space
    ============ ===============================================================================================

    The energy never rises from step to step for 0 < rho < 2. Starts as the mean, to the bit: O = 0.
    ``dependency=false``, ``hierarchy=false`` and ``prior=false`` take beta, gamma and b out (ablations).
    ``kind=hopfield`` couples modalities by ``prototypes`` that they share instead of by pairs.
    ``exchange=true`` adds O Q' F to the streams too; late fusion, where no skip is read, needs it.
    Levels of other fusions let what a finer level handed on pass; it is averaged down to the grid that reads it.
    Energies are in single precision (or double) whatever the precision of the streams.

    Record, detached: ``energy`` (b, *xyz), ``weights`` (b, m, *xyz), ``steps`` (b, k) with E before and after each
    step, ``parts`` (b, 3) of the last (evidence, hierarchy, dependency), ``share`` (b, m) the mean of pi, and outside
    training ``without`` (b, m), the last E if one modality were not there. State: ``energy`` and ``weights`` with
    their gradient, ``present``, and at some points v ``vectors`` (b, m, D, v) = Q' Z with ``vector_weights`` (b, m, v).

    Options:
        steps: gradient steps on the energy, a whole number from 0 to 1000; inf: its minimum, in closed form
        width: dimensions of the shared space
        rho: step size, as a share of the largest that is safe; below 2 every step lowers the energy
        dependency: whether modalities are coupled
        hierarchy: whether a level is pulled towards the next finer one
        prior: whether each modality has a learned prior weight
        kind: quadratic (modalities coupled in pairs) or hopfield (by shared prototypes)
        prototypes: number of prototypes, for kind=hopfield
        exchange: whether the joined features return to the streams, as late fusion needs it
    Example: energy(steps=5,width=32)
    """

    reads_finer = True
    adaptable = ("alpha", "beta", "gamma", "theta", "tau", "prior", "bias", "out")
    by_modality = ("project", "prior", "bias")
    by_pair = ("theta",)
    options: Options

    def __init__(self, modalities: int, channels: int, dimensions: int, **options: Any) -> None:
        super().__init__(modalities, channels, dimensions)
        self.options = chosen = read_options(options)
        self.reads_finer = chosen.hierarchy
        width, pairs = chosen.width, modalities * (modalities - 1) // 2
        hopfield = chosen.kind == "hopfield"
        joined = chosen.dependency and (modalities > 1 or hopfield)
        self.alpha, self.tau = _strength(), _strength()
        self.beta = _strength() if joined else None
        self.gamma = _strength() if chosen.hierarchy else None
        self.theta = nn.Parameter(torch.full((pairs,), _ONE)) if joined and not hopfield else None
        self.project = nn.Parameter(torch.randn(modalities, width, channels) / channels**0.5)
        self.prior = nn.Parameter(torch.zeros(modalities, width)) if chosen.prior else None
        self.bias = nn.Parameter(torch.zeros(modalities)) if chosen.prior else None
        self.lift = nn.Parameter(torch.eye(width)) if chosen.hierarchy else None
        self.out = nn.Parameter(torch.zeros(channels, width))
        self.turn = parametrizations.orthogonal(nn.Linear(width, width, bias=False), orthogonal_map="cayley")
        self.prototypes = nn.Parameter(torch.randn(chosen.prototypes, width)) if hopfield else None
        self.sharpness = nn.Parameter(torch.tensor(8.0).expm1().log()) if hopfield else None

    def forward(
        self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"], finer: Tensor | None = None
    ) -> Fused:
        with torch.autocast(streams.device.type, enabled=False):
            change, record, state, handed = self._descend(streams, present, finer)
        change = change.to(streams.dtype)
        if self.options.exchange:
            clean = where_present(streams, present)
            joined = clean + where_present(change.unsqueeze(1), present)
            return Fused(joined, mean_present(joined, present), record, state, handed)
        return Fused(streams, mean_present(streams, present) + change, record, state, handed)

    def law(self) -> Law:
        """alpha, beta, gamma and w as they are used."""
        zero = torch.zeros_like(self.alpha)
        coupling = zero.new_zeros(self.modalities, self.modalities)
        if self.theta is not None:
            first, second = torch.triu_indices(self.modalities, self.modalities, 1, device=zero.device)
            upper = coupling.index_put((first, second), functional.softplus(self.theta))
            coupling = upper + upper.mT
        beta, gamma = (zero if p is None else functional.softplus(p) for p in (self.beta, self.gamma))
        return Law(functional.softplus(self.alpha), beta, gamma, coupling)

    def factors(self) -> Float[Tensor, "d d"]:
        """Q."""
        turned: Tensor = self.turn.weight  # type: ignore[assignment]
        return turned.mT

    def _descend(
        self, streams: Tensor, present: Tensor, finer: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor], Tensor]:
        """O Q' F, the record, the state, and F on the next level's grid; for export nothing is recorded."""
        grid, maps = streams.shape[3:], [streams]
        if finer is not None and self.lift is not None:
            _check_finer(finer, self.options.width)
            maps.append(onto(finer, grid))
        energy = self._energy(present, told=len(maps) > 1)
        (share, level, change, handed), sums = energy.field(maps)
        if is_exporting():
            return change, {}, {}, handed
        means = sums.detach() / grid.numel()
        few = spread(grid, SAMPLES)
        below_few = few_of(maps[1], few) if len(maps) > 1 else None
        vectors = self.factors().mT @ energy.vectors(few_of(streams, few), below_few)
        state = {"energy": level, "weights": share, "present": present, "vectors": vectors}
        state["vector_weights"] = few_of(share, few)
        record = {"energy": level.detach(), "weights": share.detach(), "share": share.detach().flatten(2).mean(2)}
        with torch.no_grad():
            account = energy.account(means)
            record |= {"steps": account.sum(2), "parts": account[:, -1]}
            record |= {} if self.training else {"without": energy.without_each(means)}
        return change, record, state, handed

    def _energy(self, present: Tensor, *, told: bool) -> Quadratic | Hopfield:
        walk = (self.law(), present, told, self.options.steps, self.options.rho)
        common = (*walk, self.step, self._frame(), functional.softplus(self.tau))
        if self.prototypes is None or self.sharpness is None:
            return Quadratic(*common)
        return Hopfield(*common, self.prototypes, functional.softplus(self.sharpness))

    def _frame(self) -> Frame:
        nothing = self.project.new_zeros
        prior = nothing(self.modalities, self.options.width) if self.prior is None else self.prior
        bias = nothing(self.modalities) if self.bias is None else self.bias
        lift = nothing(0) if self.lift is None else self.lift
        return Frame(self.project, prior, bias, self.out @ self.factors().mT, lift)


def _strength() -> nn.Parameter:
    """A number above 0, through softplus; 1 at the start."""
    return nn.Parameter(torch.tensor(_ONE))


def _check_finer(finer: Tensor, width: int) -> None:
    if finer.shape[1] != width:
        raise SpecError(
            "fusion energy: expected one width for all levels of a plan, which share a space, found "
            f"{finer.shape[1]} at a finer level and {width} at the next; write one width for all"
        )
