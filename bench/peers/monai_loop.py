"""A plain MONAI training as its tutorials write it: CacheDataset, dictionary transforms, DiceCELoss, Adam.

What is random is what ``mrfusion.data.augment`` does, with the same ranges and shares, by MONAI's own transforms.
Generous to it: class indices are cached, and batches enter the network as plain tensors.
"""

import math
from typing import Any

import torch
from monai.data import CacheDataset, DataLoader
from monai.losses import DiceCELoss
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    FgBgToIndicesd,
    Lambdad,
    LoadImaged,
    NormalizeIntensityd,
    Orientationd,
    RandAdjustContrastd,
    RandAffined,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
    SpatialPadd,
    SqueezeDimd,
)
from rounds import Rounds, read_settings
from unet import PlainUnet

BOTH = ("image", "label")
AUGMENTATION = (
    "affine (15 degrees, scale 15 %) of half the samples, flips, contrast 15 %, brightness 0.1, gamma, noise 0.05; "
    "sample by sample"
)


def transforms(settings: dict[str, Any]) -> Compose:
    """Read, normalise and index once; crop and augment each time."""
    two, size = settings["dimensions"] == 2, tuple(settings["size"])
    box = (*size, 1) if two else size
    angle = (math.radians(15),) if two else (0, 0, math.radians(15))
    random = [
        RandAffined(BOTH, prob=0.5, rotate_range=angle, scale_range=(0.15,) * len(size), mode=("bilinear", "nearest"),
                    padding_mode="zeros"),
        *(RandFlipd(BOTH, prob=0.5, spatial_axis=axis) for axis in range(len(size))),
        RandScaleIntensityd("image", factors=0.15, prob=1.0),
        RandShiftIntensityd("image", offsets=0.1, prob=1.0),
        RandAdjustContrastd("image", prob=1.0, gamma=(0.82, 1.22)),
        RandGaussianNoised("image", prob=1.0, std=0.05),
    ]  # fmt: skip
    return Compose([
        LoadImaged(BOTH),
        EnsureChannelFirstd(BOTH),
        Orientationd(BOTH, axcodes="RAS"),
        Lambdad("label", _regions),
        NormalizeIntensityd("image", nonzero=True, channel_wise=True),
        SpatialPadd(BOTH, box),
        FgBgToIndicesd("label", image_key="image"),
        RandCropByPosNegLabeld(BOTH, "label", box, pos=0.7, neg=0.3, num_samples=1,
                               fg_indices_key="label_fg_indices", bg_indices_key="label_bg_indices"),
        *([SqueezeDimd(BOTH, dim=-1)] if two else []),
        *random,
    ])  # fmt: skip


def _regions(label: torch.Tensor) -> torch.Tensor:
    """Enhancing tumour, tumour core, whole tumour."""
    return torch.cat([label == 3, (label == 1) | (label == 3), label > 0]).float()


def main() -> None:
    """Serve rounds."""
    rounds, settings = Rounds(), read_settings()
    torch.set_num_threads(settings["threads"])
    device = torch.device(settings["device"])
    # an epoch longer than any race, so that no round waits for the loader to begin again
    files = [{"image": case["images"], "label": case["label"]} for case in settings["cases"]]
    cached = CacheDataset(files, transforms(settings), progress=False)
    sampler = torch.utils.data.RandomSampler(cached, replacement=True, num_samples=10**7)
    workers = settings["monai_workers"]
    loader = DataLoader(cached, batch_size=settings["batch"], sampler=sampler, num_workers=workers)
    network = PlainUnet(settings["dimensions"], 4, 3).to(device)
    loss_function = DiceCELoss(sigmoid=True, batch=True)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    batches = iter(loader)
    next(batches)
    parameters = sum(p.numel() for p in network.parameters())
    rounds.ready(parameters=parameters, augmentation=AUGMENTATION, note=f"{workers} loader processes")
    while True:
        rounds.begin()
        total = 0.0
        for _ in range(settings["steps"]):
            batch = next(batches)
            images, labels = (batch[key].as_tensor().to(device) for key in BOTH)
            optimiser.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=settings["precision"] == "bf16-mixed"):
                loss = loss_function(network(images), labels)
            loss.backward()
            optimiser.step()
            total += loss.item()
        rounds.end()


if __name__ == "__main__":
    main()
