"""Is a journal new? It then lacks what a previous one knew."""

from sidecar.core.decision.gate import duration

_NEW_FOR_MS = 24 * 3_600_000
"""The time in which the alert about a new journal fires, too."""


def new_journal_warning(created_ms: int, now_ms: int) -> str:
    """Return what a journal of less than a day lacks; empty: it is older, or has no record yet."""
    age_ms = now_ms - created_ms
    if not created_ms or age_ms >= _NEW_FOR_MS:
        return ""
    return (
        f"The journal is new: it began {duration(age_ms)} ago, and has no evidence, alarm or hold from before. If "
        "there was a journal, stop the sidecar and restore a backup: sidecar restore FILE --replace --reason '...'."
    )
