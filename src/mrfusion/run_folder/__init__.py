"""The files that a run or a study leaves."""
