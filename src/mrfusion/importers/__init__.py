"""Results of other tools as scores: one file a format, recognised by its content."""
