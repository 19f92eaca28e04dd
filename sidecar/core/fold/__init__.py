"""What does the journal add up to? The state, advanced by one record at a time."""
