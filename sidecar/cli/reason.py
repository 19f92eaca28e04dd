"""The reason of an action, as the command line takes it."""

import msgspec

from sidecar.cli.program import fail
from sidecar.console.reasons import Reason


def checked(reason: str) -> str:
    """Return a reason that people can read; exit otherwise, as for the `'...'` of an example."""
    try:
        return msgspec.convert(reason, Reason)
    except msgspec.ValidationError:
        fail("--reason needs 1 to 500 characters with a letter or a digit, and without control characters")
