"""Backbones: what an encoder level and a decoder level are made of."""
