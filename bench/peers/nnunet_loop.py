"""nnU-Net's trainer as it is (augmentation, loader processes, loss, optimiser, step), with another network in it.

Runs in an environment of its own. The given arrays are written as nnU-Net's preprocessed data by its own functions.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params, nnUNetDatasetBlosc2
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from numpy.typing import NDArray
from rounds import Rounds, read_settings
from unet import PlainUnet

LABELS: dict[str, Any] = {"background": 0, "whole tumour": [1, 2, 3], "tumour core": [1, 3], "enhancing tumour": [3]}
AUGMENTATION = (
    "rotation up to 180 degrees and scaling 0.7-1.4 (20 % each), noise, blur, brightness, contrast, low resolution, "
    "two gammas, mirrors; sample by sample"
)
NAME = "Dataset001_Phantom"


class Trainer(nnUNetTrainer):  # type: ignore[misc]
    """nnU-Net's trainer around the network of this race."""

    @staticmethod
    def build_network_architecture(plans_manager: Any, configuration_manager: Any, *channels: int, **_: Any) -> Any:
        """``channels`` are those of input and output, and whether there is deep supervision."""
        del plans_manager
        return PlainUnet(len(configuration_manager.patch_size), *channels[:2])


def plans(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], str]:
    """nnU-Net's plans and dataset description, and the configuration's name."""
    name = "2d" if settings["dimensions"] == 2 else "3d_fullres"
    configuration = {
        "data_identifier": f"nnUNetPlans_{name}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": settings["batch"],
        "patch_size": settings["size"],
        "median_image_size_in_voxels": settings["size"],
        "spacing": [2.0] * settings["dimensions"],
        "normalization_schemes": ["ZScoreNormalization"] * 4,
        "use_mask_for_norm": [True] * 4,
        "batch_dice": True,
        "architecture": {"network_class_name": "PlainUnet", "arch_kwargs": {}, "_kw_requires_import": []},
    }
    whole = {
        "dataset_name": NAME,
        "plans_name": "nnUNetPlans",
        "configurations": {name: configuration},
        "label_manager": "LabelManager",
        "continue_training": False,
    }
    channels = {str(i): modality for i, modality in enumerate(("t1n", "t1c", "t2w", "t2f"))}
    dataset = {"channel_names": channels, "labels": LABELS, "regions_class_order": [2, 1, 3], "file_ending": ".nii.gz"}
    return whole, dataset, name


def write_preprocessed(settings: dict[str, Any], folder: Path) -> None:
    """Our prepared arrays as nnU-Net's preprocessed cases; one split that trains on all of them."""
    folder.mkdir(parents=True)
    for case in settings["cases"]:
        images, labels = np.load(case["array"]), np.load(case["label_array"])[None].astype(np.int16)
        blocks, chunks = comp_blosc2_params(images.shape, settings["size"])
        properties = {"class_locations": {tuple(v): _voxels(labels, v) for v in LABELS.values() if v}}
        nnUNetDatasetBlosc2.save_case(images, labels, properties, str(folder / case["id"]), chunks, blocks)
    names = [case["id"] for case in settings["cases"]]
    (folder.parent / "splits_final.json").write_text(json.dumps([{"train": names, "val": names[:1]}]))


def _voxels(labels: NDArray[Any], values: list[int]) -> NDArray[Any]:
    places = np.argwhere(np.isin(labels, values))
    return places[:: max(1, len(places) // 10000)]


def main() -> None:
    """Serve rounds."""
    rounds, settings = Rounds(), read_settings()
    home = Path(settings["work"]) / "nnunet"
    for folder in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{folder}"] = str(home / folder)
    torch.set_num_threads(settings["threads"])
    whole, dataset, name = plans(settings)
    write_preprocessed(settings, home / "preprocessed" / NAME / f"nnUNetPlans_{name}")
    trainer = Trainer(whole, name, 0, dataset, torch.device(settings["device"]))
    trainer.enable_deep_supervision = False  # the network has one head
    trainer.initialize()
    trainer.dataloader_train, trainer.dataloader_val = trainer.get_dataloaders()
    workers = trainer.dataloader_train.num_processes
    parameters = sum(p.numel() for p in trainer.network.parameters())
    rounds.ready(parameters=parameters, augmentation=AUGMENTATION, note=f"{workers} loader processes")
    while True:
        rounds.begin()
        trainer.on_train_epoch_start()
        outputs = [trainer.train_step(next(trainer.dataloader_train)) for _ in range(settings["steps"])]
        trainer.on_train_epoch_end(outputs)
        trainer.current_epoch += 1
        rounds.end()


if __name__ == "__main__":
    main()
