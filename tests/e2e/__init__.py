"""The real process against real peers: what a user would see, from a signed webhook to the flag."""
