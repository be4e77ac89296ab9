"""nnU-Net's own environment: what its trainer needs, and nothing that would pull another torch."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

# one environment serves several working copies where MRFUSION_BENCH_NNUNET names its folder
FOLDER = Path(os.environ.get("MRFUSION_BENCH_NNUNET", Path(__file__).parents[2] / ".env-bench-nnunet"))
# timm and torchvision, which these depend on, would bring the newest torch with CUDA; the trainer does without them
WITHOUT_DEPENDENCIES = (
    "nnunetv2==2.8.1", "batchgenerators==0.25.5", "batchgeneratorsv2==0.3.6", "dynamic-network-architectures==0.4.4",
    "acvl-utils==0.2.6",
)  # fmt: skip
WITH_DEPENDENCIES = (
    "blosc2", "connected-components-3d", "einops", "graphviz", "matplotlib", "nibabel", "pandas", "requests",
    "scikit-image", "scikit-learn", "scipy", "seaborn", "SimpleITK", "threadpoolctl", "tifffile", "tqdm", "yacs",
)  # fmt: skip


def nnunet_python() -> tuple[Path | None, str]:
    """The environment's Python, made at the first call (minutes); or None, and why there is none."""
    python, done = FOLDER / "bin" / "python", FOLDER / "installed"
    if not done.exists():
        try:
            _install(python)
        except (OSError, subprocess.CalledProcessError) as error:
            return None, f"nnU-Net could not be installed: {error}"
        done.touch()
    return python, ""


def _install(python: Path) -> None:
    torch = importlib.metadata.version("torch")
    index = ("--extra-index-url", "https://download.pytorch.org/whl/cpu", "--retries", "1") if "+cpu" in torch else ()
    print(f"making {FOLDER} for nnU-Net, once; some minutes", file=sys.stderr)
    for command in (
        (sys.executable, "-m", "venv", str(FOLDER)),
        (str(python), "-m", "pip", "install", "-q", *index, f"torch=={torch}", "numpy"),
        (str(python), "-m", "pip", "install", "-q", *WITH_DEPENDENCIES),
        (str(python), "-m", "pip", "install", "-q", "--no-deps", *WITHOUT_DEPENDENCIES),
        (str(python), "-c", "from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer"),
    ):
        subprocess.run(command, check=True, stdout=sys.stderr)
