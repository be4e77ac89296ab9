"""Family: what a classification is worth. Each file is one metric, read from the same votes."""
