"""The probes against servers that misbehave, each in one way: every outcome of the closed set is produced."""
