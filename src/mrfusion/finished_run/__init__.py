"""What is done with a trained run: predict, subsets, adapt, quality."""
