"""nnU-Net trained for a given time, then asked for its test predictions: the other side of ``bench/nnunet.py``.

    python nnunet_timed.py SETTINGS.json

Runs in nnU-Net's own environment. nnU-Net 2.8 runs as it is: its fingerprint, plan, preprocessing, augmentation, loss,
optimiser, mirrored sliding window. What is ours: an epoch has ``iterations`` steps, and after a first epoch, which does
not count (compilation, loader processes), the number of epochs, and with it the polynomial decay, is set anew after
each epoch so that both end when the time does. The settings name ``raw`` (a Dataset<number>_<name> folder with
imagesTs), ``splits`` (nnU-Net's list of train and val; the first is used), ``out``, ``minutes``, ``configuration``,
``planner``, ``device``, ``iterations``, ``processes`` and ``threads``. ``out/predictions`` holds what the last weights
predict, ``out/facts.json`` what was planned and how long each part took.
"""

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

SETTINGS: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text()) if __name__ == "__main__" else {}
OUT = Path(SETTINGS.get("out", "."))
ROOMS = {name: (OUT / f"nnunet_{name}").resolve() for name in ("raw", "preprocessed", "results")}
for name, room in ROOMS.items() if SETTINGS else ():  # nnU-Net reads these when it is imported
    room.mkdir(parents=True, exist_ok=True)
    os.environ[f"nnUNet_{name}"] = str(room)

import torch  # noqa: E402
from nnunetv2.experiment_planning.plan_and_preprocess_api import (  # noqa: E402
    extract_fingerprints,
    plan_experiments,
    preprocess,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: E402
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402
from rounds import cpu_seconds  # noqa: E402

VALIDATION_STEPS = 5


def main() -> None:
    """Plan, train, predict, and say how long each took."""
    torch.set_num_threads(SETTINGS["threads"])
    raw = _raw_data(Path(SETTINGS["raw"]))
    started = time.perf_counter()
    plans_name, prepared = _prepare(raw)
    facts: dict[str, Any] = {"prepare_s": time.perf_counter() - started}
    trainer = _trainer(plans_name, prepared)
    facts |= _train(trainer, 60 * SETTINGS["minutes"])
    configuration = trainer.configuration_manager
    facts["plan"] = {key: getattr(configuration, key) for key in ("patch_size", "batch_size", "spacing")}
    facts["parameters"] = sum(p.numel() for p in trainer.network.parameters())
    trainer.current_epoch -= 1
    trainer.on_train_end()
    started = time.perf_counter()
    _predict(raw, plans_name)
    facts["predict_s"] = time.perf_counter() - started
    (OUT / "facts.json").write_text(json.dumps(facts, indent=1, default=str))


def _raw_data(source: Path) -> Path:
    here = ROOMS["raw"] / source.name
    if not here.exists():
        shutil.copytree(source, here)
    dataset = json.loads((here / "dataset.json").read_text())
    dataset.setdefault("overwrite_image_reader_writer", "NibabelIO")
    (here / "dataset.json").write_text(json.dumps(dataset))
    return here


def _prepare(raw: Path) -> tuple[str, Path]:
    """Fingerprint, plan and preprocessed data; the plan's name and the folder."""
    match = re.match(r"Dataset(\d+)_", raw.name)
    number, processes = int(match[1]) if match else 0, SETTINGS["processes"]
    extract_fingerprints([number], num_processes=processes, check_dataset_integrity=False)
    name = plan_experiments([number], experiment_planner_class_name=SETTINGS["planner"]) or "nnUNetPlans"
    preprocess([number], plans_identifier=name, configurations=(SETTINGS["configuration"],), num_processes=(processes,))
    prepared = ROOMS["preprocessed"] / raw.name
    shutil.copy(SETTINGS["splits"], prepared / "splits_final.json")
    return str(name), prepared


def _trainer(plans_name: str, prepared: Path) -> Any:
    plans = json.loads((prepared / f"{plans_name}.json").read_text()) | {"continue_training": False}
    dataset = json.loads((prepared / "dataset.json").read_text())
    trainer = nnUNetTrainer(plans, SETTINGS["configuration"], 0, dataset, torch.device(SETTINGS["device"]))
    trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch = SETTINGS["iterations"], VALIDATION_STEPS
    trainer.initialize()
    trainer.logger.plot_progress_png = lambda *_, **__: None
    trainer.on_train_start()
    return trainer


def _train(trainer: Any, seconds: float) -> dict[str, Any]:
    """Epochs until the time is over, the first of them beside it."""
    epochs, total, begun, used = 0, 10**6, 0.0, 0.0
    while epochs < total:
        _epoch(trainer)
        epochs += 1
        if epochs == 1:
            begun, used = time.perf_counter(), cpu_seconds(os.getpgrp())
            continue
        each = (time.perf_counter() - begun) / (epochs - 1)
        total = max(epochs, 1 + round(seconds / each))
        trainer.lr_scheduler.max_steps = trainer.num_epochs = total
    return {
        "train_s": time.perf_counter() - begun,
        "cpu_s": cpu_seconds(os.getpgrp()) - used,
        "epochs": epochs,
        "iterations": epochs * trainer.num_iterations_per_epoch,
    }


def _epoch(trainer: Any) -> None:
    """As nnU-Net's own ``run_training`` has it."""
    trainer.on_epoch_start()
    trainer.on_train_epoch_start()
    steps = range(trainer.num_iterations_per_epoch)
    trainer.on_train_epoch_end([trainer.train_step(next(trainer.dataloader_train)) for _ in steps])
    with torch.no_grad():
        trainer.on_validation_epoch_start()
        steps = range(trainer.num_val_iterations_per_epoch)
        trainer.on_validation_epoch_end([trainer.validation_step(next(trainer.dataloader_val)) for _ in steps])
    trainer.on_epoch_end()


def _predict(raw: Path, plans_name: str) -> None:
    """Mirrored sliding windows, as nnU-Net predicts by itself."""
    device = torch.device(SETTINGS["device"])
    predictor = nnUNetPredictor(device=device, perform_everything_on_device=device.type == "cuda", allow_tqdm=False)
    folder = ROOMS["results"] / raw.name
    trained = folder / f"nnUNetTrainer__{plans_name}__{SETTINGS['configuration']}"
    predictor.initialize_from_trained_model_folder(str(trained), use_folds=(0,), checkpoint_name="checkpoint_final.pth")
    predictor.predict_from_files(
        str(raw / "imagesTs"),
        str(OUT / "predictions"),
        num_processes_preprocessing=1,
        num_processes_segmentation_export=1,
    )


if __name__ == "__main__":
    main()
