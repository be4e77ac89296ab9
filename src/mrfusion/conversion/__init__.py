"""A cohort written, or listed, the way another program reads it."""
