"""The rule of a study that stops when it is decided: when it may look, and what each look may spend of the 5 %."""

from dataclasses import dataclass

from mrfusion.comparison.verdict import ALPHA


@dataclass(frozen=True)
class Spending:
    """Looks after ``fewest_seeds`` to ``most_seeds`` complete seeds, each at an equal part of ALPHA.

    A seed is complete when it was run in every fold under an arm and under the reference. The parts add up to ALPHA,
    so by Bonferroni's inequality all looks together say a false word in at most 5 % of studies, however strongly the
    looks depend on each other (the looks share patients and training sets, and how much is not known beforehand).
    """

    most_seeds: int = 5
    fewest_seeds: int = 2

    @property
    def looks(self) -> range:
        """The numbers of complete seeds at which the study looks."""
        return range(self.fewest_seeds, max(self.fewest_seeds, self.most_seeds) + 1)

    @property
    def level(self) -> float:
        """What one look may spend."""
        return ALPHA / len(self.looks)

    @property
    def times(self) -> float:
        """What a p-value of one look is multiplied by, so that it can be read against ALPHA."""
        return float(len(self.looks))
