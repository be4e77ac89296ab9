"""MLflow: runs side by side in the browser, from a database file below OUT/tracking; extra [mlflow]."""

import math
from collections.abc import Mapping

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from mrfusion.errors import SpecError
from mrfusion.trackers._base import Tracker

try:
    from mlflow import MlflowClient
except ImportError:
    raise SpecError("tracking: mlflow is not installed: pip install 'mrfusion[mlflow]'") from None

EXPERIMENT = "mrfusion"


class Mlflow(Tracker):
    """One MLflow run for each run, in an SQLite file below ``OUT/tracking/mlflow``; no server is asked.

    ``mlflow ui --backend-store-uri sqlite:///OUT/tracking/mlflow/runs.db`` shows them.
    """

    def begin(self, facts: Mapping[str, str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        home = self.folder.absolute()
        with FileLock(home / "runs.lock"):  # runs side by side would make the tables, and the experiment, twice
            self.client = MlflowClient(tracking_uri=f"sqlite:///{home / 'runs.db'}")
            known = self.client.get_experiment_by_name(EXPERIMENT)
            files = (home / "files").as_uri()
            experiment = known.experiment_id if known else self.client.create_experiment(EXPERIMENT, files)
        before = self.client.search_runs([experiment], f"tags.digest = '{self.run}'")
        again = before[0] if before else self.client.create_run(experiment, tags={"digest": self.run})
        self.id = again.info.run_id
        for name, text in facts.items():
            self.client.set_tag(self.id, name, text)

    def numbers(self, epoch: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            if math.isfinite(value):
                self.client.log_metric(self.id, name.replace(":", "."), value, step=epoch)

    def picture(self, epoch: int, name: str, image_HW3: NDArray[np.uint8]) -> None:
        self.client.log_image(self.id, Image.fromarray(image_HW3), f"{name}/{epoch:04d}.png")

    def end(self) -> None:
        self.client.set_terminated(self.id)
