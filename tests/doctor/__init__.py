"""The doctor: every outcome in words, every recorded fault by name, and what a browser's own request lacks."""
