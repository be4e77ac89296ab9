"""A warm-started candidate begins exactly where its parent ended; ensembles average; races end what cannot win."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mrfusion.errors import InputError
from mrfusion.files import write_json
from mrfusion.model.ensemble import Ensemble
from mrfusion.run_folder.history import History
from mrfusion.run_folder.quantity import SCORE, SECONDS, Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import Origin, RunSpec
from mrfusion.training.assemble import make_network
from mrfusion.training.checkpoint import drop_checkpoints
from mrfusion.training.inherit import inherit, warmed
from mrfusion.training.loop import Training, fit, save_weights
from mrfusion.training.race import Race
from tiny import cohort_of, fitted, loaded_cases, run_spec, training_of

EXACT = ["mmtm", "attention", "bottleneck", "lowrank", "energy(width=8,exchange=true)", "gated(fusion=mmtm)"]


def finished(spec: RunSpec, runs: Path) -> History:
    """A run's folder as far as a warm start reads it."""
    folder = runs / spec.digest
    training = training_of(spec, folder)
    history = fitted(spec, training)
    save_weights(folder / "model.safetensors", training.network)
    write_json(folder / "spec.json", spec.model_dump(mode="json"))
    drop_checkpoints(RunFolder(folder))
    return history


def candidate_of(parent: RunSpec, runs: Path, **changes: Any) -> Training:
    spec = parent.changed(changes)
    training = training_of(spec, runs / spec.digest)
    return warmed(training, spec.plan, Origin(parents=(parent.digest,)))


def at_best(history: History) -> dict[Quantity, float]:
    best = max((value, -epoch) for epoch, name, value in history.rows if name == SCORE)
    return {name: value for epoch, name, value in history.rows if epoch == -best[1] and name.kind == "val"}


def at_start(history: History) -> dict[Quantity, float]:
    return {name: value for epoch, name, value in history.rows if epoch == 0 and name.kind == "val"}


@pytest.mark.parametrize("fusion", EXACT)
@pytest.mark.parametrize(
    "parent",
    [
        run_spec(plan="separate[mean]"),
        run_spec(plan="separate>mean", task="classification"),
        run_spec(
            plan="separate[mean]", network="unet(base=4,stages=1)", sampling={"dimensions": 3, "size": [8, 16, 16]}
        ),
    ],
    ids=["regions", "classes late", "3-D with batch norm"],
)
def test_the_first_validation_is_the_parent_s_best_to_the_bit(parent: RunSpec, fusion: str, tmp_path: Path) -> None:
    expected = at_best(finished(parent, tmp_path))
    for levels in ([fusion, "mean"], ["mean", fusion]):
        plan = replace(parent.plan, levels=tuple(levels))
        candidate = candidate_of(parent, tmp_path, plan=str(plan), budget={"epochs": 1})
        assert at_start(fitted(parent, candidate)) == expected


def test_a_candidate_learns_its_module_and_never_ends_worse(tmp_path: Path) -> None:
    parent = run_spec(plan="separate[mean]")
    finished(parent, tmp_path)
    candidate = candidate_of(parent, tmp_path, plan="separate[mean,mmtm]")
    before = {name: value.clone() for name, value in candidate.network.state_dict().items()}
    history = fitted(parent, candidate)
    scores = history.of(SCORE)
    assert len(history.of(SECONDS)) == 3
    assert len(scores) == 4
    changed = {name for name, value in candidate.network.state_dict().items() if not torch.equal(value, before[name])}
    assert bool(changed) == (max(scores) > scores[0])


def test_a_warm_start_goes_on_after_an_interruption_as_if_there_had_been_none(tmp_path: Path) -> None:
    parent = run_spec(plan="separate[mean]")
    finished(parent, tmp_path)
    whole = fitted(parent, candidate_of(parent, tmp_path, plan="separate[mmtm]"))

    def interrupted(done: int, total: int, what: str) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    finished(parent, tmp_path / "again")
    first = replace(candidate_of(parent, tmp_path / "again", plan="separate[mmtm]"), progress=interrupted)
    with pytest.raises(KeyboardInterrupt):
        fitted(parent, first)
    second = fitted(parent, candidate_of(parent, tmp_path / "again", plan="separate[mmtm]"))
    assert [row for row in second.rows if row[1] != SECONDS] == [row for row in whole.rows if row[1] != SECONDS]


def test_weights_behind_a_gate_are_shared_with_the_plain_module(tmp_path: Path) -> None:
    supernet = run_spec(plan="separate[gated(fusion=mmtm)]", budget={"epochs": 1})
    finished(supernet, tmp_path)
    network = make_network(supernet.changed({"plan": "separate[mean,mmtm]"}), cohort_of(loaded_cases(2)))
    inherit(network, supernet.changed({"plan": "separate[mean,mmtm]"}).plan, [RunFolder(tmp_path / supernet.digest)])
    trained = make_network(supernet, cohort_of(loaded_cases(2)))
    inherit(trained, supernet.plan, [RunFolder(tmp_path / supernet.digest)])
    gated = trained.state_dict()["fusions.1.behind.squeeze.weight"]
    assert torch.equal(network.state_dict()["fusions.1.squeeze.weight"], gated)


def test_only_fusions_may_differ(tmp_path: Path) -> None:
    parent = run_spec(plan="separate[mean]", budget={"epochs": 1})
    finished(parent, tmp_path)
    with pytest.raises(InputError, match="cannot start from the run"):
        candidate_of(parent, tmp_path, plan="separate>mean")
    with pytest.raises(InputError, match="cannot start from the run"):
        candidate_of(parent, tmp_path, network="unet(base=8,stages=1,norm=instance)")
    with pytest.raises(InputError, match="expected the weights"):
        candidate_of(parent, tmp_path / "elsewhere", plan="separate[mmtm]")


def test_kept_weights_are_validated_and_nothing_else(tmp_path: Path) -> None:
    parent = run_spec(plan="separate[mean]", budget={"epochs": 2})
    expected = at_best(finished(parent, tmp_path))
    history = fit(candidate_of(parent, tmp_path, plan="separate[mean]"), [])
    assert at_start(history) == expected
    assert history.of(SECONDS) == []


@pytest.mark.parametrize(("task", "head"), [("classification", "regions"), ("segmentation", "regions"),
                                            ("segmentation", "labels")])  # fmt: skip
def test_an_ensemble_is_the_mean_of_probabilities(task: str, head: str, tmp_path: Path) -> None:
    plans = ["separate[mean]", "separate[mmtm]", "separate[mean,attention]"]
    spec = run_spec(task=task, head=head, members=plans, plan=plans[0])
    cohort = cohort_of(loaded_cases(2))
    network = make_network(spec, cohort).eval()
    assert isinstance(network, Ensemble)
    for member in network.members:
        torch.nn.init.normal_(next(iter(member.heads.parameters())))
    images, present = torch.randn(2, 2, 16, 16), torch.ones(2, 2, dtype=torch.bool)
    exclusive = task == "classification" or head == "labels"
    chance = (lambda x: torch.softmax(x, 1)) if exclusive else torch.sigmoid
    expected = torch.stack([chance(member(images, present).logits) for member in network.members]).mean(0)
    torch.testing.assert_close(chance(network(images, present).logits), expected)


def test_an_ensemble_takes_each_member_s_weights(tmp_path: Path) -> None:
    one, two = (
        run_spec(plan="separate[mean]", budget={"epochs": 1}),
        run_spec(plan="separate[mmtm]", budget={"epochs": 1}),
    )
    finished(one, tmp_path)
    finished(two, tmp_path)
    network = make_network(run_spec(members=["separate[mean]", "separate[mmtm]"]), cohort_of(loaded_cases(2)))
    inherit(network, one.plan, [RunFolder(tmp_path / spec.digest) for spec in (one, two)])
    state = network.state_dict()
    weights = [make_network(spec, cohort_of(loaded_cases(2))) for spec in (one, two)]
    for number, (spec, member) in enumerate(zip((one, two), weights, strict=True)):
        inherit(member, spec.plan, [RunFolder(tmp_path / spec.digest)])
        assert all(torch.equal(state[f"members.{number}.{name}"], value) for name, value in member.state_dict().items())


def test_a_race_is_lost_by_gaining_no_more_than_half_as_much() -> None:
    race = Race([0.50, 0.60, 0.58, 0.70], grace=2)
    assert not race.lost(1, 0.50)
    assert not race.lost(2, 0.56)
    assert race.lost(2, 0.54)
    assert race.lost(3, 0.56)
    assert race.lost(9, 0.56)
    assert Race([0.5, 0.5, 0.5]).lost(2, 0.5)
    assert not Race([0.5, 0.5, 0.5]).lost(2, 0.501)
    assert not Race().lost(9, float("-inf"))


def test_a_lost_race_ends_the_training(tmp_path: Path) -> None:
    parent = run_spec(plan="separate[mean]", budget={"epochs": 1})
    finished(parent, tmp_path)
    candidate = candidate_of(parent, tmp_path, plan="separate[mmtm]", budget={"epochs": 9})
    unbeatable = Race([-1e9, *[2e9] * 9], grace=2)
    assert len(fitted(parent, replace(candidate, race=unbeatable)).of(SECONDS)) == 2


def test_a_spec_without_origin_keeps_the_digest_that_it_had() -> None:
    plain = run_spec()
    assert plain.digest == RunSpec.model_validate(plain.model_dump(exclude={"origin", "members"})).digest
    assert plain.digest != plain.changed({"origin": {"parents": ["a"]}}).digest
