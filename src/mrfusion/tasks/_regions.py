"""What the tasks whose answer is a mask for each region have in common."""

from mrfusion.case import Case, Cohort
from mrfusion.errors import InputError
from mrfusion.tasks._base import Task


class RegionTask(Task):
    """A decoder gives logits on the grid of the images: one a region, or with ``head: labels`` one a label."""

    losses = ("dice_ce",)
    metrics = "metrics"
    head = "Decoder"
    score = "RegionScore"
    answers = "RegionAnswers"
    of_cases = "mean_dice"
    needed_metrics = ("dice",)

    def check(self, cohort: Cohort) -> None:
        if not cohort.regions:
            raise InputError(
                "task: segmentation needs label maps and regions, found none in the data; name them in the layout's "
                "options, or write task: classification for classes"
            )

    def is_labelled(self, case: Case) -> bool:
        return case.label_map is not None

    def channels(self, cohort: Cohort, head: str) -> int:
        return len(cohort.regions) if head == "regions" else len(cohort.label_values) + 1

    def exclusive(self, head: str) -> bool:
        return head == "labels"

    def target(self, head: str) -> str:
        return "RegionTarget" if head == "regions" else "LabelTarget"

    def decision(self, head: str) -> str:
        return "RegionDecision" if head == "regions" else "LabelDecision"

    def energy_classes(self, cohort: Cohort) -> tuple[str, ...]:
        return "background", *(region.name for region in cohort.regions)

    def loss_of(self, score: float) -> float:
        return 1 - score  # the score is the mean Dice [ours]
