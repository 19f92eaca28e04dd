"""What does each operation cost? Ratios to a baseline in the same run, because machines are noisy."""
