"""The request for each kind of target, as bytes. Opens no sockets.

- `webhook`: the whole event as JSON, signed with a timestamp like Stripe's webhooks: `t=<seconds>,v1=<HMAC-SHA256>`.
- `slack`: a `text` for clients without blocks, and `blocks` (https://docs.slack.dev/reference/block-kit/blocks). Text
  written by people is escaped, so that it cannot mention a whole channel
  (https://docs.slack.dev/messaging/formatting-message-text).
- `grafana`: an annotation of the organisation, with its end for events with a duration
  (https://grafana.com/docs/grafana/latest/developers/http_api/annotations/#create-annotation).
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Protocol

import msgspec

from sidecar import __version__
from sidecar.config import Notifications, NotificationSecrets, TargetKind
from sidecar.notifications.notification import Notification, NotificationKind, Tone

SIGNATURE = "Reverb-Sidecar-Signature"
_MARKS = {Tone.GOOD: "🟢", Tone.BAD: "🔴", Tone.PLAIN: "🔵"}
_SECTION_MAX = 2900
"""In characters; Slack rejects sections of more than 3000."""
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
"""Kinds that are sent to Grafana as annotations."""


_DECIDED = frozenset(
    {
        NotificationKind.CLIMBED,
        NotificationKind.RETURNED,
        NotificationKind.FELL,
        NotificationKind.MOVED,
        NotificationKind.RELEASED,
    }
)
"""Kinds with a decision, an action or a policy as their record: the console has a page for each."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP POST request."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class TargetSpec(Protocol):
    """The events and requests for one kind of target."""

    def takes(self, kind: NotificationKind) -> bool:
        """Return whether events of this kind are sent to the target."""
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
        """Return whether events of this kind are sent to it."""
        return self.spec.takes(kind)

    def link(self, notification: Notification) -> str | None:
        """Return the console's page for it; None: no console URL is configured."""
        if self.console_url is None or notification.kind not in _DECIDED:
            return self.console_url
        return f"{self.console_url}/decisions/{notification.seq}"

    def request(self, notification: Notification, now_s: int) -> Outgoing:
        """Return the request. `now_s`, in Unix seconds, is part of the signature."""
        return self.spec.request(self, notification, now_s)


class _Webhook:
    """The whole event as JSON, signed with a timestamp like Stripe's webhooks."""

    def takes(self, kind: NotificationKind) -> bool:
        """Return whether it is not a release: releases are only annotations in plots."""
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
        """Return the message; the URL is secret."""
        del now_s
        body = msgspec.json.encode(_message(notification, target.link(notification)))
        return Outgoing(url=target.secrets.url, headers=_HEADERS, body=body)


class _Grafana:
    """An annotation in Grafana."""

    def takes(self, kind: NotificationKind) -> bool:
        """Return whether it is shown as an annotation."""
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
"""All kinds of targets."""


def targets_of(
    notifications: Notifications,
    secrets: Mapping[str, NotificationSecrets],
    specs: Mapping[TargetKind, TargetSpec] = SPECS,
) -> tuple[Target, ...]:
    """Return the configured targets."""
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
    """The body for a webhook. Field names are a contract; fields may be added."""

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
    """The sidecar's version."""


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
    words, mark, chain = notification.words, _MARKS[notification.tone], notification.chain
    record = f"record {notification.seq}"
    small = [record, *([f"chain `{chain}`"] if chain else []), *([f"<{link}|Open the console>"] if link else [])]
    plain = " · ".join(part for part in (record, f"chain {chain}" if chain else "", link) if part)
    return {
        "text": _cut(_escaped(f"{mark} {words.title}\n{words.text}\nNext: {words.next}\n{plain}")),
        "blocks": [
            _section(f"{mark} *{_escaped(words.title)}*"),
            _section(_escaped(words.text)),
            _section(f"*Next:* {_escaped(words.next)}"),
            {"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(small)}]},
        ],
    }


def _section(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text)}}


def _cut(text: str) -> str:
    return text if len(text) <= _SECTION_MAX else f"{text[:_SECTION_MAX]}…"


def _escaped(text: str) -> str:
    """Return text escaped for Slack, and for Grafana, which renders annotations as sanitized HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _annotation(notification: Notification) -> dict[str, object]:
    words, at_ms, from_ms = notification.words, notification.at_ms, notification.from_ms
    chain = f", chain {notification.chain}" if notification.chain else ""
    time = {"time": at_ms} if from_ms is None else {"time": from_ms, "timeEnd": max(from_ms, at_ms)}
    return {
        **time,
        "tags": ["reverb-sidecar", notification.kind.value, notification.environment, notification.flag],
        "text": f"{_escaped(words.title)}\n{_escaped(words.text)}\nrecord {notification.seq}{chain}",
    }
