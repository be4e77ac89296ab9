"""Losses: what a training lowers; each returns one named, unweighted number."""
