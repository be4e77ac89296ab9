"""Trackers: programs that show how a training goes while it goes; each file is one that a user can name."""
