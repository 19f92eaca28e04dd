"""The keys of `notifications`: who is told when the flag moves."""

import enum
from typing import Annotated

from sidecar.config.quantities import Duration
from sidecar.config.rules import TARGETS_MAX
from sidecar.config.scalars import Choice, Text
from sidecar.config.section import Items, Section
from sidecar.config.urls import UrlText


class TargetKind(enum.StrEnum):
    """What a target of notifications understands."""

    WEBHOOK = "webhook"
    """JSON, signed (`docs/notifications.md`)."""
    SLACK = "slack"
    """An incoming webhook of Slack's, or of what understands the same."""
    GRAFANA = "grafana"
    """Annotations, through Grafana's HTTP API: moves, shelters and releases, to be drawn into its plots."""


_NAME = Text(
    pattern=r"[a-z][a-z0-9-]{0,31}", allowed="1 to 32 of the characters a-z 0-9 -, of which the first is a letter"
)
_TARGETS = Items(at_least=1, at_most=TARGETS_MAX, of="targets, each with a name and a kind")


class NotificationTarget(Section, frozen=True, kw_only=True):
    """One of those who are told."""

    name: Annotated[str, _NAME]
    """What its secrets are called after: `SIDECAR_NOTIFICATION_<NAME>_URL`, and `…_KEY` but for Slack."""
    kind: Annotated[TargetKind, Choice(words={each.value: each for each in TargetKind})]
    """What it understands."""

    @property
    def stem(self) -> str:
        """How the names of its variables begin."""
        return f"SIDECAR_NOTIFICATION_{self.name.upper().replace('-', '_')}"


class Notifications(Section, frozen=True, kw_only=True):
    """Who is told when the flag moves, and of what keeps it where it is."""

    targets: Annotated[tuple[NotificationTarget, ...], _TARGETS]
    """Each is told once of each event."""
    console_url: Annotated[str, UrlText(schemes=("https", "http"), usual="https://sidecar.example.test")] | None = None
    """Where people reach the operator listener, for a link in each notification; None: there is none."""
    stuck_after_ms: Annotated[int, Duration(at_least="1h", at_most="90d", usual="14d")] = 14 * 24 * 3_600_000
    """So long on one rung that is not the last and that no person holds is told, each time, in milliseconds."""
    suspended_after_ms: Annotated[int, Duration(at_least="1m", at_most="24h", usual="10m")] = 600_000
    """A rest that lasts so long is told, in milliseconds."""
