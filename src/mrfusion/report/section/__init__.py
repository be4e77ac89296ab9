"""The parts of the page, top to bottom: one file and one template each, a pure function of the loaded study."""
