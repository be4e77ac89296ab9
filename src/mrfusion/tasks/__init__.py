"""What a network answers: each file is one task that `task` can name."""
