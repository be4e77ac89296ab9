"""Several finished runs of one question, as folds and seeds leave them, answering together."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from mrfusion.data.sample import LoadedCase
from mrfusion.errors import SpecError
from mrfusion.finished_run.load import FinishedRun
from mrfusion.training.assemble import Model
from mrfusion.training.decision import make_decision

SMALLEST = 1e-7  # no probability is nearer to 0 or 1, so that its logit is a number


class Together:
    """The mean of the runs' probabilities, said as logits; softmax where classes exclude each other, else sigmoid.

    One network is in memory at a time: each is read anew for every case, which costs far less than its prediction.
    ``predictor`` and ``decision`` are those of a :class:`~mrfusion.training.assemble.Model`.
    """

    def __init__(self, runs: Sequence[FinishedRun], fabric: Fabric) -> None:
        check_alike(runs)
        spec = runs[0].spec
        self.runs, self.fabric = runs, fabric
        self.exclusive = spec.chosen_task.exclusive(spec.head)
        self.predictor, self.decision = self, make_decision(spec, runs[0].outline)

    def logits(self, case: LoadedCase) -> Float[Tensor, "n s h w"]:
        """Of the case's range of slices, on the CPU."""
        return self._mean(lambda model: model.predictor.logits(case))

    def class_logits(self, case: LoadedCase) -> Float[Tensor, " classes"]:
        """Of the case, on the CPU."""
        return self._mean(lambda model: model.predictor.class_logits(case))

    def _mean(self, answer: Callable[[Model], Tensor]) -> Tensor:
        total = torch.zeros(())
        for run in self.runs:
            logits = answer(run.model(self.fabric))
            total = total + (functional.softmax(logits, 0) if self.exclusive else torch.sigmoid(logits))
        mean = (total / len(self.runs)).clamp(SMALLEST, 1 - SMALLEST)
        return torch.log(mean) if self.exclusive else torch.logit(mean)


def check_alike(runs: Sequence[FinishedRun]) -> None:
    """SpecError unless the runs read, and answer, the same."""
    if not runs:
        raise SpecError("expected at least one finished run, found none; run the study first")
    for name, value in _meaning(runs[0]).items():
        for run in runs[1:]:
            if _meaning(run)[name] != value:
                raise SpecError(
                    f"the runs {runs[0].folder.digest} and {run.folder.digest} differ in {name}: {value} and "
                    f"{_meaning(run)[name]}; only runs of one arm can answer together"
                )


def _meaning(run: FinishedRun) -> dict[str, object]:
    spec, outline = run.spec, run.outline
    return {
        "task": spec.task,
        "head": spec.head,
        "modalities": run.modalities,
        "regions": [(region.name, sorted(region.labels)) for region in outline.regions],
        "classes": outline.classes,
        "preparation": spec.data.preparation,
        "sampling.slices": spec.sampling.scored_slices,
    }
