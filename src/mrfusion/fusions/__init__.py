"""Fusions: how streams of features meet at one encoder level."""
