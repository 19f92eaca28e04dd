"""Notifications: what is worth one, what it says, and that a target that fails costs nothing."""
