"""A look at a cohort before anything is trained."""
