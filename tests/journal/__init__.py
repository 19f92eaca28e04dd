"""What every journal promises, and what the file in particular does."""
