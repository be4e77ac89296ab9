"""What a network, its samples and their preparation should be for a cohort, and why."""
