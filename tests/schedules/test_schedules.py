"""Every schedule keeps one contract: phases whose modules are the network's and whose losses are the run's."""

import pytest
from torch import nn

from mrfusion import families
from mrfusion.schedules._base import Phase, Schedule
from mrfusion.training.assemble import make_network
from tiny import cohort_of, loaded_cases, run_spec

# adapt wants energies and trains few parameters on purpose: tests/test_adaptation.py
every = pytest.mark.parametrize("name", [name for name in families.names("schedules") if name != "adapt"])
LOSSES = ("dice_ce", "fusion")


@pytest.fixture
def network() -> nn.Module:
    return make_network(run_spec(plan="concat+lrrnet(a,b,n=2)"), cohort_of(loaded_cases(2)))


@every
def test_phases(name: str, network: nn.Module) -> None:
    schedule = families.load("schedules", name)()
    assert isinstance(schedule, Schedule)
    phases = schedule.phases(network, LOSSES)
    inside = {id(module) for module in network.modules()}
    assert phases
    assert len({phase.name for phase in phases}) == len(phases)
    for phase in phases:
        assert isinstance(phase, Phase)
        assert phase.losses
        assert set(phase.losses) <= set(LOSSES)
        assert phase.rate > 0
        assert all(id(module) in inside for module in phase.modules)
        assert any(True for module in phase.modules for _ in module.parameters())


@every
def test_every_parameter_is_trained_in_some_phase(name: str, network: nn.Module) -> None:
    phases = families.load("schedules", name)().phases(network, LOSSES)
    trained = {id(p) for phase in phases for module in phase.modules for p in module.parameters()}
    assert trained == {id(p) for p in network.parameters()}


def test_end_to_end_is_one_phase_of_everything(network: nn.Module) -> None:
    (phase,) = families.load("schedules", "end_to_end")().phases(network, LOSSES)
    assert phase == Phase("end_to_end", (network,), LOSSES, 1.0)
