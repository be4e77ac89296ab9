"""What a run keeps of its test cases' energies: a table, and maps of the slices that it shows."""

from mrfusion.case import Cohort
from mrfusion.data.sample import LoadedCase
from mrfusion.run.answers import make_answers
from mrfusion.run_folder.energies import EnergyRow
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.slice_view import upright
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import Model
from mrfusion.training.energies import class_names, factors_of, has_energy
from mrfusion.training.quantify import Classes, Quantifier


class EnergyRecord:
    """A table of the numbers of all test cases, and of each case the maps of the slice that is kept of it.

    Quantities are those of :class:`mrfusion.training.quantify.CaseEnergies`. The maps lie as the slice does, on its
    grid: levels (L,), modalities, energy (L, H, W) and weights (L, M, H, W), float16. Nothing is kept of a network
    without an energy.
    """

    def __init__(self, folder: RunFolder, model: Model, spec: RunSpec, cohort: Cohort) -> None:
        self.folder, self.spec, self.cohort = folder, spec, cohort
        self.modalities = spec.plan.modalities(cohort.modalities)
        quantified = has_energy(model.predictor.network)
        self.quantifier = Quantifier(model.predictor, factors_of(spec)) if quantified else None
        self.answers = make_answers(spec, cohort, model)
        self.rows: list[EnergyRow] = []

    def add(self, number: int, case: LoadedCase, index: int) -> None:
        """Quantify a case and keep the maps of its slice ``index``, counted in the whole case."""
        if self.quantifier is None:
            return
        found = self.quantifier.quantify(case, self.modalities, index, self._classes(case))
        self.rows += [EnergyRow(case.id, quantity, value) for quantity, value in found.rows]
        self.folder.write_energy_maps(
            number,
            found.levels,
            modalities=self.modalities,
            energy=upright(found.energy),
            weights=upright(found.weights),
        )

    def write(self) -> None:
        """Write the table, if there is anything in it."""
        if self.rows:
            self.folder.write_energies(self.rows)

    def _classes(self, case: LoadedCase) -> Classes:
        """The classes that the run's task tells apart."""
        return Classes(class_names(self.spec, self.cohort), self.answers.class_masks(case))
