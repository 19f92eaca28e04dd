"""Every parser with malformed input: it accepts it or raises its own error."""
