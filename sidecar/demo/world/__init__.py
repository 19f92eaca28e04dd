"""What happens in the demo? Payers, faults, the story, and the pace of time."""
