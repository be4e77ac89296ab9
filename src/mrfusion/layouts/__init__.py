"""How a data set lies on disk: each file reads one layout into a Cohort."""
