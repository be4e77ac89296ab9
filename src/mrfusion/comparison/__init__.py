"""The judge: from scores to verdicts."""
