"""Run folders of a study as one self-contained HTML page; never reaches torch."""
