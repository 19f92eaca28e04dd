"""The description of one outcome."""

import msgspec


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Cause, likely reasons and remedy of one outcome, as texts."""

    exit_code: int
    """Of `sidecar doctor`; each outcome has its own, and it never changes its meaning."""
    sentence: str
    """What happened."""
    reasons: tuple[str, ...]
    """Why it likely did, the likeliest first."""
    changes: tuple[str, ...]
    """What to change, and where."""
