"""What augmenting a sample costs, for each choice of the family: CPU milliseconds of one thread, whole batches.

    python bench/augmentation.py [--batches 60] [--smoke]

Batches of 4 x 3 modalities x 128 x 128 and of 2 x 4 x 64^3, new seeds each time; the mean over all batches, because a
change strikes a share of the samples only. The last line is JSON.
"""

import argparse
import json
import time

import torch

from mrfusion import families
from mrfusion.augmentations._base import Samples

GRIDS = {"2d": (4, 3, 128, 128), "3d": (2, 4, 64, 64, 64)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--smoke", action="store_true", help="one batch of each; its figures mean nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for name in families.names("augmentations"):
        for grid, shape in GRIDS.items():
            found[f"{name}_{grid}_ms"] = round(cost(name, shape, 1 if options.smoke else options.batches), 2)
            print(f"{name:10}{' x '.join(map(str, shape)):24}{found[f'{name}_{grid}_ms']:9.2f} CPU-ms a sample")
    print(json.dumps(found))


def cost(name: str, shape: tuple[int, ...], batches: int) -> float:
    """CPU milliseconds a sample."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(shape, generator=generator)
    labels = torch.randint(0, 4, (shape[0], *shape[2:]), generator=generator, dtype=torch.uint8)
    samples = Samples(images, labels, torch.ones(shape[0], len(shape) - 2))
    change = families.load("augmentations", name)()
    change(samples, list(range(shape[0])))
    started = time.process_time()
    for number in range(batches):
        change(samples, [shape[0] * number + place for place in range(shape[0])])
    return 1000 * (time.process_time() - started) / batches / shape[0]


if __name__ == "__main__":
    main()
