"""The mathematics of an energy that is quadratic: steps towards its minimum, and what each of them costs, as matrices.

All vectors of a voxel, the U_m of M modalities and the T from the finer level, are *nodes*. A state of the propagation
is a linear map of the nodes, the same at every voxel: Z_m = sum_i S_mi X_i with rows that add up to 1. So K steps are
one M x (M + 1) matrix a case, and every energy, being a sum of squared differences, is linear in the squared distances
of the nodes: |sum_i v_i X_i|^2 = -sum_i<j v_i v_j |X_i - X_j|^2 where the v_i add up to 0. Nothing is ever stepped
through at a voxel.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

PARTS = ("evidence", "hierarchy", "dependency")


@dataclass(frozen=True)
class Law:
    """The strengths of a level: alpha, beta, gamma > 0 (or exactly 0) and couplings w (m, m), symmetric, 0 within."""

    alpha: Tensor
    beta: Tensor
    gamma: Tensor
    coupling: Float[Tensor, "m m"]

    def among(self, present: Bool[Tensor, "b m"], *, told: bool) -> "Present":
        """The law for what is present in each case; without T (``told`` is false) gamma is 0."""
        both = present.unsqueeze(1) & present.unsqueeze(2)
        count = present.sum(1).to(self.coupling.dtype)
        pairs = (count * (count - 1) / 2).clamp(min=1)
        gamma = self.gamma if told else torch.zeros_like(self.gamma)
        return Present(
            present,
            self.alpha / count.clamp(min=1),
            gamma / count.clamp(min=1),
            torch.where(both, self.coupling, 0.0),
            self.beta / pairs,
        )


@dataclass(frozen=True)
class Present:
    """A law for the modalities that are present: per case alpha/n, gamma/n (b,), w (b, m, m), beta/p (b,)."""

    present: Bool[Tensor, "b m"]
    evidence: Float[Tensor, " b"]
    hierarchy: Float[Tensor, " b"]
    coupling: Float[Tensor, "b m m"]
    dependency: Float[Tensor, " b"]

    @property
    def laplacian(self) -> Float[Tensor, "b m m"]:
        """L_w = diag(sum_n w_mn) - w."""
        return torch.diag_embed(self.coupling.sum(2)) - self.coupling

    @property
    def hessian(self) -> Float[Tensor, "b m m"]:
        """((alpha + gamma) / n) I + (beta / p) L_w."""
        each = (self.evidence + self.hierarchy).view(-1, 1, 1)
        return each * torch.eye(self.coupling.shape[1]).to(each) + self.dependency.view(-1, 1, 1) * self.laplacian

    @property
    def bound(self) -> Float[Tensor, " b"]:
        """Lambda, no smaller than the Hessian's largest eigenvalue (Gershgorin)."""
        return self.evidence + self.hierarchy + 2 * self.dependency * self.coupling.sum(2).amax(1)

    @property
    def pull(self) -> Float[Tensor, "b m n"]:
        """(alpha U + gamma T) / n as a map of the nodes."""
        count = self.coupling.shape[1]
        own = torch.diag_embed(self.evidence.unsqueeze(1).expand(-1, count))
        return torch.cat((own, self.hierarchy.view(-1, 1, 1).expand(-1, count, 1)), 2)


def start(law: Present) -> Float[Tensor, "b m n"]:
    """Z = U."""
    count = law.coupling.shape[1]
    return torch.eye(count, count + 1).to(law.evidence).expand(len(law.evidence), -1, -1)


def states(law: Present, steps: float, rho: float) -> list[Float[Tensor, "b m n"]]:
    """The states of all steps, the first of them Z = U: K gradient steps of rho / Lambda, or the minimum if ``inf``."""
    found = [start(law)]
    if steps == float("inf"):
        factor = torch.linalg.cholesky(law.hessian)
        return [*found, torch.cholesky_solve(law.pull, factor)]
    stride = (rho / law.bound).view(-1, 1, 1)
    for _ in range(int(steps)):
        found.append(found[-1] - stride * (law.hessian @ found[-1] - law.pull))
    return found


def pairs(nodes: int) -> tuple[list[int], list[int]]:
    """The nodes i and j of each pair i < j."""
    both = [(i, j) for j in range(nodes) for i in range(j)]
    return [i for i, _ in both], [j for _, j in both]


def level_costs(law: Present, state: Float[Tensor, "b m n"]) -> Float[Tensor, "b 3 q"]:
    """What each pair's distance |X_i - X_j|^2 / 2D adds to evidence, hierarchy and dependency of the level's energy."""
    own, top = start(law), torch.zeros_like(state)
    top[:, :, -1] = 1
    mask = law.present.to(state.dtype).unsqueeze(2)
    from_own, from_top = mask * (state - own), mask * (state - top)
    grams = torch.stack(
        (
            law.evidence.view(-1, 1, 1) * (from_own.mT @ from_own),
            law.hierarchy.view(-1, 1, 1) * (from_top.mT @ from_top),
            law.dependency.view(-1, 1, 1) * (state.mT @ law.laplacian @ state),
        ),
        1,
    )
    return -_of_pairs(grams)


def modality_costs(law: Present, state: Float[Tensor, "b m n"]) -> Float[Tensor, "b m q"]:
    """What each pair's distance adds to e_m = (|Z_m - U_m|^2 + sum_n w_mn / sum_n w_mn |Z_m - Z_n|^2) / 2D."""
    moved = state - start(law)
    share = law.coupling / law.coupling.sum(2, keepdim=True).clamp(min=1e-12)
    apart = state.unsqueeze(2) - state.unsqueeze(1)
    first, second = pairs(state.shape[2])
    own = moved[..., first] * moved[..., second]
    return -(own + (share.unsqueeze(3) * apart[..., first] * apart[..., second]).sum(2))


def _of_pairs(gram: Float[Tensor, "*b n n"]) -> Float[Tensor, "*b q"]:
    first, second = pairs(gram.shape[-1])
    return gram[..., first, second]
