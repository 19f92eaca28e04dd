"""May the timers be removed? The checks of the release gate, and what they are computed from."""
