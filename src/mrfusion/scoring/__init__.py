"""Predictions against labels: masks, classes, images, folders."""
