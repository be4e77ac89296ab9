"""From masks to surfaces: components, dilation, surface elements and the distances between them."""
