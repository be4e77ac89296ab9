"""Attention across modalities at each position, or across all modalities and positions of a window."""

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from mrfusion.fusions._base import Fused, Fusion, mean_present, where_present
from mrfusion.kinds import Count


class Attention(Fusion):
    """x_m <- x_m + gamma Attn(x_1 .. x_M); skip = mean of the streams after it (Vaswani et al. 2017, eq. 1).

    The tokens that see each other are the present modalities of one position, or with ``window`` > 1 those of a window
    of so many grid points along each axis; meant for coarse levels, where a window is a large part of the head.
    ``heads`` must divide the channels; fewer are taken where it does not.
    Starts as the mean, to the bit: gamma = 0.
    The paper of the search names no attention of its own; layer norm in front and a learned embedding of each modality,
    without which their order would not matter, are ours.
    Record: ``gamma``.

    Options:
        heads: attention heads; fewer are taken where they do not divide the channels
        window: grid points along each axis that see each other; 1: modalities at one position only
    Example: attention(heads=2,window=4)
    """

    by_modality = ("names",)

    def __init__(self, modalities: int, channels: int, dimensions: int, *, heads: Count = 4, window: Count = 1) -> None:
        super().__init__(modalities, channels, dimensions)
        self.window = window
        self.heads = max(h for h in range(1, heads + 1) if channels % h == 0)
        self.norm = nn.LayerNorm(channels)
        self.names = nn.Parameter(0.02 * torch.randn(modalities, channels))
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels, bias=False)  # the same bias on every key changes no softmax
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, streams: Float[Tensor, "b m c *xyz"], present: Bool[Tensor, "b m"]) -> Fused:
        clean, grid = where_present(streams, present), streams.shape[3:]
        lacking = [p for n in reversed(grid) for p in (0, -n % self.window)]
        padded = functional.pad(clean.movedim(2, -1), (0, 0, *lacking))
        inside = functional.pad(present.view(*present.shape, *[1] * len(grid)).expand(-1, -1, *grid), lacking)
        tokens = self._windows(self.norm(padded) + self._names(len(grid)))
        seen = self._windows(inside.unsqueeze(-1)).squeeze(-1)
        back = self._grid(self._attend(tokens, seen), padded.shape)
        change = back[(slice(None), slice(None), *(slice(n) for n in grid))].movedim(-1, 2)
        joined = clean + where_present(self.gamma.to(change.dtype) * change, present)
        return Fused(joined, mean_present(joined, present), {"gamma": self.gamma.detach().clone()})

    def _names(self, dimensions: int) -> Tensor:
        return self.names.view(self.modalities, *[1] * dimensions, self.channels)

    def _attend(self, tokens: Float[Tensor, "n t c"], seen: Bool[Tensor, "n t"]) -> Float[Tensor, "n t c"]:
        q, k, v = (f(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :])
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _windows(self, values: Shaped[Tensor, "b m *xyz c"]) -> Shaped[Tensor, "n t c"]:
        """Tokens of each window: (windows of all cases, modalities and points of one window, c)."""
        w, d = self.window, values.ndim - 3
        for axis in range(d):
            at = 2 + 2 * axis
            values = values.reshape(*values.shape[:at], -1, w, *values.shape[at + 1 :])
        coarse, fine = [2 + 2 * a for a in range(d)], [3 + 2 * a for a in range(d)]
        return values.permute(0, *coarse, 1, *fine, values.ndim - 1).flatten(d + 1, -2).flatten(0, d)

    def _grid(self, tokens: Float[Tensor, "n t c"], shape: torch.Size) -> Float[Tensor, "b m *xyz c"]:
        """The way back from :meth:`_windows`."""
        w, d = self.window, len(shape) - 3
        coarse = [n // w for n in shape[2:-1]]
        values = tokens.view(shape[0], *coarse, shape[1], *[w] * d, shape[-1])
        order = [axis for a in range(d) for axis in (1 + a, d + 2 + a)]
        return values.permute(0, d + 1, *order, values.ndim - 1).reshape(shape)
