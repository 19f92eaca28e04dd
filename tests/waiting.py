"""How long the tests wait: until a thing comes. Only a hang is a failure, however slow and busy the machine is.

A wait that must show that a thing does *not* come has its own, short limit.
"""

HANGS_AFTER_S = 600.0
"""Whatever has not come by then will not come."""
