"""Which voxels belong to each region: overlapping regions, or labels that exclude each other."""

from mrfusion.tasks._regions import RegionTask


class Segmentation(RegionTask):
    """Every region of the data, or with ``head: labels`` every label, by the losses that nnU-Net has: Dice and cross
    entropy."""
