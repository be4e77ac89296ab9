"""TensorBoard: curves and pictures in the browser, by ``tensorboard --logdir OUT/tracking``; extra [tensorboard]."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mrfusion.errors import SpecError
from mrfusion.trackers._base import Tracker

try:
    from torch.utils.tensorboard import SummaryWriter
except ImportError:
    raise SpecError("tracking: tensorboard is not installed: pip install 'mrfusion[tensorboard]'") from None


class Tensorboard(Tracker):
    """Event files in the run's own folder below ``OUT/tracking/tensorboard``."""

    def begin(self, facts: Mapping[str, str]) -> None:
        self.writer = SummaryWriter(str(self.folder / self.run))
        rows = "\n".join(f"| {name} | {text} |" for name, text in facts.items())
        self.writer.add_text("run", f"| | |\n|---|---|\n{rows}")

    def numbers(self, epoch: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()

    def picture(self, epoch: int, name: str, image_HW3: NDArray[np.uint8]) -> None:
        self.writer.add_image(name, image_HW3, epoch, dataformats="HWC")

    def end(self) -> None:
        self.writer.close()
