"""The cause of one outcome."""

import msgspec


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Meaning, likely reasons and remedy of one outcome."""

    exit_code: int
    """Exit code of `sidecar doctor`, unique to the outcome and stable."""
    sentence: str
    """The meaning."""
    reasons: tuple[str, ...]
    """The likely reasons, the most likely first."""
    changes: tuple[str, ...]
    """What to change, and where."""
