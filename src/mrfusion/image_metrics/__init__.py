"""Family: what a fused image is worth. Each file is one metric of a fused image and the images it was made of."""
