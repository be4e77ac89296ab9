"""Synthetic cohorts on disk whose right answer is known; ``mrfusion phantom`` writes them."""
