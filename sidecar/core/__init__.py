"""What do we conclude from what we saw? Pure: a fold over observations that never waits, logs, or asks for the time."""
