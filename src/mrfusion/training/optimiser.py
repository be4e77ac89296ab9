"""Optimisers and learning rates: names in a budget to torch's own."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from mrfusion.balancers._base import Balancer
from mrfusion.schedules._base import Phase
from mrfusion.spec import Budget


def make_optimiser(phase: Phase, balancer: Balancer, budget: Budget) -> torch.optim.Optimizer:
    """The budget's optimiser over a phase's parameters and the balancer's own; fused (one kernel for all parameters).

    SGD has Nesterov momentum 0.99, as nnU-Net has. Norms and biases are not decayed.
    """
    rates = {id(p): rate for module, rate in phase.own_rates for p in module.parameters()}
    usual = phase.rate * budget.learning_rate
    by_rate: dict[float, list[nn.Parameter]] = {usual: []}
    for parameter in (p for module in phase.modules for p in module.parameters()):
        by_rate.setdefault(rates.get(id(parameter), usual), []).append(parameter)
    by_rate[usual] += list(balancer.parameters())
    groups = [
        group for rate, parameters in by_rate.items() if parameters for group in _groups(parameters, rate, budget)
    ]
    rate = budget.learning_rate
    if budget.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=0.99, nesterov=True, fused=True)
    kind = torch.optim.AdamW if budget.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=rate, fused=True)


def _groups(parameters: list[nn.Parameter], rate: float, budget: Budget) -> list[dict[str, Any]]:
    """Parameters with one ``peak``, the rate before any decay; those of one number or none a channel not decayed."""
    large, small = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    return [
        {"params": large, "weight_decay": budget.weight_decay, "lr": rate, "peak": rate},
        {"params": small, "weight_decay": 0.0, "lr": rate, "peak": rate},
    ]


def learning_rate(budget: Budget, epoch: int) -> float:
    """The rate of an epoch (from 0): constant, half a cosine, or nnU-Net's polynomial (1 - t)^0.9."""
    return budget.learning_rate * decay(budget, epoch)


def decay(budget: Budget, epoch: int) -> float:
    """The share of its peak that a rate has in an epoch (from 0)."""
    done = epoch / budget.epochs
    factors: dict[str, float] = {
        "constant": 1.0,
        "cosine": 0.5 * (1 + math.cos(math.pi * done)),
        "poly": (1 - done) ** 0.9,
    }
    return factors[budget.decay]


def count_parameters(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(p.numel() for p in network.parameters())


def count_trained(phases: Iterable[Phase]) -> int:
    """How many of them any phase trains."""
    trained = {id(p): p.numel() for phase in phases for module in phase.modules for p in module.parameters()}
    return sum(trained.values())
