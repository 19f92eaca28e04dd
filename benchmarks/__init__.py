"""What does it cost? Ratios against a baseline in the same run, because machines are noisy."""
