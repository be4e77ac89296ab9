"""mrfusion: whether, where and how to fuse the modalities of an MRI data set, answered with evidence."""
