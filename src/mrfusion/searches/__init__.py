"""Searches: which encoder levels get a fusion module, found by training candidates."""
