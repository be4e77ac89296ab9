"""The energies of a study, as a report shows them."""
