"""The folder of a run: the name of every file in it stands here, and each is written and read by one room.

    spec.json            everything that decides the run; its digest is the folder's name
    cohort.json          the modalities, regions and classes that its network was built for
    history.csv          epoch, quantity, value
    scores.csv, .json    case, region, metric, value of its test cases; what was not scored, and a summary
    probabilities.csv    of a classification: the probability of each class for each test case
    energy.csv           where fusions have energies: case, level, quantity, value
    environment.json     versions, machine, and what the run cost
    model.safetensors    the weights of the best epoch
    slices/<n>.npz       one slice of each test case, and energies/<n>.npz the maps of its energies
    volumes/<n>.npz      a few test cases whole
    fused/<epoch>.npz    where a network learns a fused image: that of one slice
    predictions/         the masks of the test cases as NIfTI
    subsets/             the scores on every subset of the modalities, where they were asked for

While a run goes on, its folder also holds the checkpoints ``last.pt`` and ``previous.pt`` and ``best.safetensors``.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.case import Cohort, outlined
from mrfusion.errors import InputError
from mrfusion.files import building, read_json, write_json, write_text
from mrfusion.part import read_part
from mrfusion.result import CaseScore
from mrfusion.run_folder import energies, pictures, probabilities, scores
from mrfusion.run_folder.folder import Folder
from mrfusion.run_folder.fused import FusedSlice, write_fused
from mrfusion.run_folder.history import History, read_history, write_history
from mrfusion.run_folder.subsets import SubsetFolder
from mrfusion.spec import RunSpec


@dataclass(frozen=True)
class RunFolder(Folder):
    """The folder of one run; it is there when the run is done, and not before."""

    @property
    def digest(self) -> str:
        """The digest of the run's specification, which is the folder's name."""
        return self.path.name

    @property
    def is_done(self) -> bool:
        """Whether the run is done."""
        return self.path.is_dir()

    @contextmanager
    def building(self) -> Iterator["RunFolder"]:
        """The folder under a temporary name while the run goes on; see :func:`mrfusion.files.building`."""
        with building(self.path) as work:
            yield RunFolder(work)

    def beside(self, digest: str) -> "RunFolder":
        """The folder of another run of the same study."""
        return RunFolder(self.path.parent / digest)

    # -- what the run was

    def write_spec(self, spec: RunSpec) -> None:
        """Write the specification."""
        write_text(self._spec, json.dumps(spec.model_dump(mode="json"), indent=1) + "\n")  # with keys in their order

    def read_spec(self) -> RunSpec:
        """The specification; InputError where there is none, SpecError where it is none of this version."""
        if not self._spec.is_file():
            raise InputError(
                f"expected the folder of a finished run at {self.path} (OUT/runs/<digest>), found no "
                f"{self._spec.name}; for an arm of a study, name the study's folder and say --arm"
            )
        return read_part(RunSpec, read_json(self._spec), str(self._spec))

    def read_spec_values(self) -> dict[str, Any]:
        """The specification as plain values, which those of other versions are too."""
        return _mapping(self._spec)

    def write_outline(self, cohort: Cohort) -> None:
        """Write what the network's modalities, regions and classes are."""
        write_json(self._outline, cohort.outline)

    def read_outline(self) -> Cohort:
        """A cohort without cases; KeyError, TypeError, ValueError or AttributeError where it is of another form."""
        return outlined(read_json(self._outline))

    def write_environment(self, facts: Mapping[str, Any]) -> None:
        """Write with what the run was carried out, and what it cost."""
        write_json(self._environment, facts)

    def read_environment(self) -> dict[str, Any]:
        """With what the run was carried out, and what it cost."""
        return _mapping(self._environment)

    @property
    def weights(self) -> Path:
        """The weights of the run, as safetensors."""
        return self.path / "model.safetensors"

    @property
    def parts_to_go_on(self) -> tuple[Path, ...]:
        """The files that another run needs in order to begin with this one's weights, the weights first."""
        return self.weights, self._spec, self._outline, self._environment

    # -- while it goes on

    @property
    def best_weights(self) -> Path:
        """The weights of the best epoch so far."""
        return self.path / "best.safetensors"

    @property
    def checkpoints(self) -> tuple[Path, Path]:
        """The state of the training after the last epoch, and after the one before."""
        return self.path / "last.pt", self.path / "previous.pt"

    def write_history(self, history: History) -> None:
        """Write what has happened so far, epoch by epoch."""
        write_history(self.path / "history.csv", history)

    def read_history(self) -> History:
        """What happened, epoch by epoch."""
        return read_history(self.path / "history.csv")

    def write_fused(self, epoch: int, shown: FusedSlice) -> None:
        """Keep the fused image of one slice after an epoch."""
        write_fused(self.path / "fused" / f"{epoch:04d}.npz", shown)

    @property
    def fused_slices(self) -> dict[int, Path]:
        """Epoch to the file of its fused image, in order; see :func:`mrfusion.run_folder.fused.read_fused`."""
        return {int(path.stem): path for path in self._numbered("fused")}

    def copy_training(self, other: "RunFolder") -> None:
        """Take over the weights of another run, and what happened in its training."""
        for path in (other.weights, other.path / "history.csv", *other.fused_slices.values()):
            copy = self.path / path.relative_to(other.path)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copy)

    # -- what it answers

    def write_scores(self, found: Sequence[CaseScore], summary: Mapping[str, Any]) -> None:
        """Write the scores of the test cases and their summary."""
        scores.write_scores(self._scores, found, summary)

    def read_scores(self) -> list[CaseScore]:
        """The scores of the test cases."""
        return scores.read_scores(self._scores)

    def write_probabilities(self, classes: Sequence[str], answers: Iterable[probabilities.Answer]) -> None:
        """Write what a classification answered for each test case."""
        probabilities.write_probabilities(self._probabilities, classes, answers)

    @property
    def has_probabilities(self) -> bool:
        """Whether the run is a classification that left its answers."""
        return self._probabilities.is_file()

    def read_probabilities(self) -> tuple[tuple[str, ...], list[probabilities.Answer]]:
        """The classes, and what a classification answered for each test case."""
        return probabilities.read_probabilities(self._probabilities)

    @property
    def predictions(self) -> Path:
        """The folder of the masks of the test cases."""
        return self.path / "predictions"

    @property
    def subsets(self) -> SubsetFolder:
        """The scores on every subset of the modalities."""
        return SubsetFolder(self.path / "subsets")

    # -- what a report shows

    def write_slice(self, number: int, panel: pictures.Panel) -> int:
        """Keep the slice of test case ``number`` that shows most; its place in the panel."""
        return pictures.write_panel(self._kept("slices", number), panel)

    def write_volume(self, number: int, panel: pictures.Panel) -> None:
        """Keep test case ``number`` as a small volume."""
        pictures.write_volume(self._kept("volumes", number), panel)

    def write_energy_maps(
        self,
        number: int,
        levels: Sequence[int],
        *,
        modalities: Sequence[str],
        energy: NDArray[np.float32],
        weights: NDArray[np.float32],
    ) -> None:
        """Keep the maps of the slice of test case ``number``; see :func:`mrfusion.run_folder.energies.write_maps`."""
        path = self._kept("energies", number)
        energies.write_maps(path, levels, modalities=modalities, energy=energy, weights=weights)

    def write_energies(self, rows: Iterable[energies.EnergyRow]) -> None:
        """Write the numbers of the test cases' energies."""
        energies.write_energies(self.energy_table, rows)

    @property
    def energy_table(self) -> Path:
        """The numbers of the test cases' energies, for messages."""
        return self.path / "energy.csv"

    @property
    def has_energies(self) -> bool:
        """Whether the run recorded energies of its test cases."""
        return self.energy_table.is_file()

    def read_energies(self) -> list[energies.EnergyRow]:
        """The numbers of the test cases' energies; InputError where there are none."""
        if not self.has_energies:
            raise InputError(
                f"expected {self.energy_table.name} in {self.path}, found none; name a run whose plan has energies"
            )
        return energies.read_energies(self.energy_table)

    @property
    def slices(self) -> list[Path]:
        """The kept slices in the order of the test cases; see :func:`mrfusion.run_folder.pictures.read_slice`."""
        return self._numbered("slices")

    @property
    def volumes(self) -> list[Path]:
        """The kept volumes; see :func:`mrfusion.run_folder.pictures.read_volume`."""
        return self._numbered("volumes")

    @property
    def energy_maps(self) -> list[tuple[Path, Path]]:
        """The kept maps of energies, each with the slice that it belongs to."""
        return [(path, self.path / "slices" / path.name) for path in self._numbered("energies")]

    # -- names

    @property
    def _spec(self) -> Path:
        return self.path / "spec.json"

    @property
    def _outline(self) -> Path:
        return self.path / "cohort.json"

    @property
    def _environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def _scores(self) -> Path:
        return self.path / scores.FILE

    @property
    def _probabilities(self) -> Path:
        return self.path / probabilities.FILE

    def _kept(self, kind: str, number: int) -> Path:
        return self.path / kind / f"{number:04d}.npz"

    def _numbered(self, kind: str) -> list[Path]:
        return sorted(self.path.glob(f"{kind}/*.npz"))


def _mapping(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"expected a JSON object at {path}, found {type(value).__name__}")
    return value
