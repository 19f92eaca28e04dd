"""Every outcome with its exit code, cause and remedy, as one page: the reference of the doctor's answers."""

from sidecar.causes import CAUSES, ROUND_TRIPS
from sidecar.causes.cause import Cause
from sidecar.core.facts.auth_probes import AuthProbeOutcome


def catalogue() -> str:
    """Return the page, in Markdown."""
    parts = [
        "# What the doctor can say\n",
        "Every outcome of an auth probe of a private channel, and (from 80 on) of an event through Reverb's API",
        "and back, with the exit code of `sidecar doctor`, what it means, the likely reasons in order, and what to",
        "change. The same names stand in `channel_auth_attempts_total{outcome}` and `round_trips_total{outcome}`.",
        "Exit code 2 is wrong usage, and 1 that `--curl` found something. Written by `sidecar doctor --outcomes`.\n",
        "| exit | outcome | what happened |",
        "|---|---|---|",
    ]
    rows: list[tuple[str, Cause]] = [*CAUSES.items(), *ROUND_TRIPS.items()]
    ordered = sorted(rows, key=lambda row: row[1].exit_code)
    parts += [f"| {cause.exit_code} | [`{outcome}`](#{outcome}) | {cause.sentence} |" for outcome, cause in ordered]
    for outcome, cause in ordered:
        if outcome != AuthProbeOutcome.OK:
            parts += _section(outcome, cause)
    return "\n".join(parts) + "\n"


def _section(outcome: str, cause: Cause) -> list[str]:
    reasons = [f"{number}. {reason}" for number, reason in enumerate(cause.reasons, start=1)]
    changes = [f"- {change}" for change in cause.changes]
    return [
        f"\n## {outcome}\n",
        cause.sentence,
        "\nLikely, in this order:\n",
        *reasons,
        "\nWhat to change:\n",
        *changes,
    ]
