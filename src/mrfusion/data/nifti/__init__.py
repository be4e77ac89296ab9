"""NIfTI files: what a header claims, the voxels behind it, and whole numbers as labels."""
