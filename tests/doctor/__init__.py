"""The doctor names every outcome, every recorded fault, and the faults of a request copied from a browser."""
