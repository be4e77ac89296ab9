"""Metrics of a mask against its target: one file per metric, each reading one MaskPair."""
