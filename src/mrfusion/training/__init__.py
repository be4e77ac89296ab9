"""The loop: one readable epoch after another, on the machinery of Lightning Fabric."""
