"""What each kind of target is sent: a request as bytes, made of a notification. It knows no socket.

- `webhook`: everything, as JSON that is ours; signed with a time, as Stripe signs: `t=<seconds>,v1=<HMAC-SHA256>`.
- `slack`: a `text` for what shows no blocks, and `blocks` (https://docs.slack.dev/reference/block-kit/blocks). What
  people wrote is escaped, so that no reason calls a whole channel
  (https://docs.slack.dev/messaging/formatting-message-text).
- `grafana`: an annotation of the organisation, with its end for what has lasted
  (https://grafana.com/docs/grafana/latest/developers/http_api/annotations/#create-annotation).
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from sidecar import __version__
from sidecar.config import Notifications, NotificationSecrets, TargetKind
from sidecar.notifications.notification import Notification, NotificationKind, Tone

SIGNATURE = "Reverb-Sidecar-Signature"
_MARKS = {Tone.GOOD: "🟢", Tone.BAD: "🔴", Tone.PLAIN: "🔵"}
_SECTION_MAX = 2900
"""Characters; Slack refuses a section of more than 3000."""
_DRAWN = frozenset(
    {
        NotificationKind.CLIMBED,
        NotificationKind.RETURNED,
        NotificationKind.FELL,
        NotificationKind.MOVED,
        NotificationKind.SUSPENSION_BEGAN,
        NotificationKind.SUSPENSION_ENDED,
        NotificationKind.RELEASED,
        NotificationKind.TEST,
    }
)
"""What Grafana draws into plots; the rest would be clutter there."""


_DECIDED = frozenset(
    {
        NotificationKind.CLIMBED,
        NotificationKind.RETURNED,
        NotificationKind.FELL,
        NotificationKind.MOVED,
        NotificationKind.RELEASED,
    }
)
"""Whose record is a decision, an action or a policy: the console has a page for each."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A request."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class TargetSpec(Protocol):
    """What one kind of target is sent."""

    def takes(self, kind: NotificationKind) -> bool:
        """Return whether the target is notified of such an event."""
        ...

    def request(self, target: "Target", notification: Notification, now_s: int) -> Outgoing:
        """Return the request. `now_s` is in Unix seconds."""
        ...


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A target of notifications. `repr` shows no secret."""

    name: str
    kind: TargetKind
    spec: TargetSpec
    secrets: NotificationSecrets
    console_url: str | None

    def takes(self, kind: NotificationKind) -> bool:
        """Return whether it is notified of such an event."""
        return self.spec.takes(kind)

    def link(self, notification: Notification) -> str | None:
        """Return the page of the console about it; None: the console's URL is not configured."""
        if self.console_url is None or notification.kind not in _DECIDED:
            return self.console_url
        return f"{self.console_url}/decisions/{notification.seq}"

    def request(self, notification: Notification, now_s: int) -> Outgoing:
        """Return the request that sends it. `now_s`, in Unix seconds, goes into the signature."""
        return self.spec.request(self, notification, now_s)


class _Webhook:
    """JSON with everything, signed with a time, as Stripe signs."""

    def takes(self, kind: NotificationKind) -> bool:
        """Return whether it is not a release: releases are for plots."""
        return kind is not NotificationKind.RELEASED

    def request(self, target: Target, notification: Notification, now_s: int) -> Outgoing:
        """Return the signed event."""
        body = msgspec.json.encode(_event(notification, target.link(notification)))
        signed = f"{now_s}.".encode() + body
        code = hmac.new(target.secrets.key.encode(), signed, hashlib.sha256).hexdigest()
        headers = {**_HEADERS, SIGNATURE: f"t={now_s},v1={code}", "Idempotency-Key": notification.event}
        return Outgoing(url=target.secrets.url, headers=headers, body=body)


class _Slack(_Webhook):
    """A message for Slack's incoming webhooks."""

    def request(self, target: Target, notification: Notification, now_s: int) -> Outgoing:
        """Return the message; its URL is the secret."""
        del now_s
        body = msgspec.json.encode(_message(notification, target.link(notification)))
        return Outgoing(url=target.secrets.url, headers=_HEADERS, body=body)


class _Grafana:
    """An annotation for Grafana's plots."""

    def takes(self, kind: NotificationKind) -> bool:
        """Return whether it is an event for plots."""
        return kind in _DRAWN

    def request(self, target: Target, notification: Notification, now_s: int) -> Outgoing:
        """Return the annotation, with the token of a service account."""
        del now_s
        url = f"{target.secrets.url.rstrip('/')}/api/annotations"
        headers = {**_HEADERS, "Authorization": f"Bearer {target.secrets.key}"}
        return Outgoing(url=url, headers=headers, body=msgspec.json.encode(_annotation(notification)))


_HEADERS = {"Content-Type": "application/json", "User-Agent": f"reverb-sidecar/{__version__}"}
SPECS: Mapping[TargetKind, TargetSpec] = {
    TargetKind.WEBHOOK: _Webhook(),
    TargetKind.SLACK: _Slack(),
    TargetKind.GRAFANA: _Grafana(),
}
"""The one table of kinds of targets."""


def targets_of(
    notifications: Notifications,
    secrets: Mapping[str, NotificationSecrets],
    specs: Mapping[TargetKind, TargetSpec] = SPECS,
) -> tuple[Target, ...]:
    """Return the targets that are configured."""
    return tuple(
        Target(
            name=each.name,
            kind=each.kind,
            spec=specs[each.kind],
            secrets=secrets[each.name],
            console_url=notifications.console_url,
        )
        for each in notifications.targets
    )


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The body that a webhook gets. The names are a contract; fields may be added."""

    event: str
    kind: NotificationKind
    tone: Tone
    environment: str
    flag: str
    title: str
    text: str
    next: str
    at_ms: int
    from_ms: int | None
    seq: int
    chain: str
    url: str | None
    facts: Mapping[str, str | int]
    version: str
    """Of the sidecar."""


def _event(notification: Notification, link: str | None) -> Event:
    return Event(
        event=notification.event,
        kind=notification.kind,
        tone=notification.tone,
        environment=notification.environment,
        flag=notification.flag,
        title=notification.words.title,
        text=notification.words.text,
        next=notification.words.next,
        at_ms=notification.at_ms,
        from_ms=notification.from_ms,
        seq=notification.seq,
        chain=notification.chain,
        url=link,
        facts=notification.facts,
        version=__version__,
    )


def _message(notification: Notification, link: str | None) -> dict[str, object]:
    words, mark = notification.words, _MARKS[notification.tone]
    small = [f"record {notification.seq}"]
    small += [f"chain `{notification.chain}`"] if notification.chain else []
    small += [f"<{link}|Open the console>"] if link else []
    return {
        "text": _short(
            f"{mark} {words.title}\n{words.text}\nNext: {words.next}\n{' · '.join(_plain(notification, link))}"
        ),
        "blocks": [
            _section(f"{mark} *{_escaped(words.title)}*"),
            _section(_escaped(words.text)),
            _section(f"*Next:* {_escaped(words.next)}"),
            {"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(small)}]},
        ],
    }


def _plain(notification: Notification, link: str | None) -> Sequence[str]:
    said = [f"record {notification.seq}", f"chain {notification.chain}" if notification.chain else "", link or ""]
    return [each for each in said if each]


def _section(text: str) -> dict[str, object]:
    cut = text if len(text) <= _SECTION_MAX else f"{text[:_SECTION_MAX]}…"
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut}}


def _short(text: str) -> str:
    escaped = _escaped(text)
    return escaped if len(escaped) <= _SECTION_MAX else f"{escaped[:_SECTION_MAX]}…"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _annotation(notification: Notification) -> dict[str, object]:
    words = notification.words
    head = (
        f"\nrecord {notification.seq}, chain {notification.chain}"
        if notification.chain
        else f"\nrecord {notification.seq}"
    )
    span: dict[str, object] = {"time": notification.at_ms}
    if notification.from_ms is not None:
        span = {"time": notification.from_ms, "timeEnd": max(notification.from_ms, notification.at_ms)}
    return {
        **span,
        "tags": ["reverb-sidecar", notification.kind.value, notification.environment, notification.flag],
        "text": f"{_html(words.title)}\n{_html(words.text)}{head}",
    }


def _html(text: str) -> str:
    """Return text as Grafana shows it, which takes an annotation for HTML and sanitises it."""
    return _escaped(text)
