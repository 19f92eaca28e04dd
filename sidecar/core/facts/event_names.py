r"""The name of the broadcast that decides, as people write it and as it is on the wire.

Laravel sends the class, `App\Events\LiveRefreshContextsUpdated`, or what `broadcastAs` returns. Echo writes the same
name with dots for backslashes, and with a leading dot or backslash where it must not add its own namespace.
"""

DEFAULT_EVENT = "LiveRefreshContextsUpdated"


def canonical(name: str) -> str:
    """Return an event's name in the form in which two ways to write it are equal."""
    return name.replace(".", "\\").removeprefix("\\")


def is_named(sent: str, configured: str) -> bool:
    """Return whether an event that was sent is the configured one: by its whole name, or by its last segment."""
    whole, name = canonical(sent), canonical(configured)
    return whole == name or whole.rpartition("\\")[2] == name
