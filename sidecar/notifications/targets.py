"""What each kind of target is sent: a request as bytes, made of a notice. It knows no socket.

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

import msgspec

from sidecar import __version__
from sidecar.config import Notices, NoticeSecrets, TargetKind
from sidecar.notifications.notification import Notice, NoticeKind, Tone

SIGNATURE = "Reverb-Sidecar-Signature"
_MARKS = {Tone.GOOD: "🟢", Tone.BAD: "🔴", Tone.PLAIN: "🔵"}
_SECTION_MAX = 2900
"""Characters; Slack refuses a section of more than 3000."""
_DRAWN = frozenset(
    {
        NoticeKind.CLIMBED,
        NoticeKind.RETURNED,
        NoticeKind.FELL,
        NoticeKind.MOVED,
        NoticeKind.SHELTER_BEGAN,
        NoticeKind.SHELTER_ENDED,
        NoticeKind.RELEASED,
        NoticeKind.TEST,
    }
)
"""What Grafana draws into plots; the rest would be clutter there."""


_DECIDED = frozenset({NoticeKind.CLIMBED, NoticeKind.RETURNED, NoticeKind.FELL, NoticeKind.MOVED, NoticeKind.RELEASED})
"""Whose record is a decision, an act or a policy: the console has a page for each."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A request."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told. `repr` shows no secret."""

    name: str
    kind: TargetKind
    secrets: NoticeSecrets
    console_url: str | None

    def takes(self, kind: NoticeKind) -> bool:
        """Say whether it is told of such an event. Releases are for plots: whoever noted one knows of it."""
        if self.kind is TargetKind.GRAFANA:
            return kind in _DRAWN
        return kind is not NoticeKind.RELEASED

    def link(self, notice: Notice) -> str | None:
        """Return where the console shows more of it; None: nobody said where the console is."""
        if self.console_url is None or notice.kind not in _DECIDED:
            return self.console_url
        return f"{self.console_url}/decisions/{notice.seq}"

    def request(self, notice: Notice, now_s: int) -> Outgoing:
        """Return the request that tells it. `now_s`, in Unix seconds, goes into the signature."""
        headers = {"Content-Type": "application/json", "User-Agent": f"reverb-sidecar/{__version__}"}
        url = self.secrets.url
        match self.kind:
            case TargetKind.WEBHOOK:
                body = msgspec.json.encode(_event(notice, self.link(notice)))
                signed = f"{now_s}.".encode() + body
                code = hmac.new(self.secrets.key.encode(), signed, hashlib.sha256).hexdigest()
                headers |= {SIGNATURE: f"t={now_s},v1={code}", "Idempotency-Key": notice.event}
            case TargetKind.SLACK:
                body = msgspec.json.encode(_message(notice, self.link(notice)))
            case TargetKind.GRAFANA:
                url = f"{url.rstrip('/')}/api/annotations"
                headers["Authorization"] = f"Bearer {self.secrets.key}"
                body = msgspec.json.encode(_annotation(notice))
        return Outgoing(url=url, headers=headers, body=body)


def targets_of(notices: Notices, secrets: Mapping[str, NoticeSecrets]) -> tuple[Target, ...]:
    """Return the targets that are configured."""
    return tuple(
        Target(name=each.name, kind=each.kind, secrets=secrets[each.name], console_url=notices.console_url)
        for each in notices.targets
    )


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The body that a webhook gets. The names are a contract; fields may be added."""

    event: str
    kind: NoticeKind
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


def _event(notice: Notice, link: str | None) -> Event:
    return Event(
        event=notice.event,
        kind=notice.kind,
        tone=notice.tone,
        environment=notice.environment,
        flag=notice.flag,
        title=notice.words.title,
        text=notice.words.text,
        next=notice.words.next,
        at_ms=notice.at_ms,
        from_ms=notice.from_ms,
        seq=notice.seq,
        chain=notice.chain,
        url=link,
        facts=notice.facts,
        version=__version__,
    )


def _message(notice: Notice, link: str | None) -> dict[str, object]:
    words, mark = notice.words, _MARKS[notice.tone]
    small = [f"record {notice.seq}"]
    small += [f"chain `{notice.chain}`"] if notice.chain else []
    small += [f"<{link}|Open the console>"] if link else []
    return {
        "text": _short(f"{mark} {words.title}\n{words.text}\nNext: {words.next}\n{' · '.join(_plain(notice, link))}"),
        "blocks": [
            _section(f"{mark} *{_escaped(words.title)}*"),
            _section(_escaped(words.text)),
            _section(f"*Next:* {_escaped(words.next)}"),
            {"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(small)}]},
        ],
    }


def _plain(notice: Notice, link: str | None) -> Sequence[str]:
    said = [f"record {notice.seq}", f"chain {notice.chain}" if notice.chain else "", link or ""]
    return [each for each in said if each]


def _section(text: str) -> dict[str, object]:
    cut = text if len(text) <= _SECTION_MAX else f"{text[:_SECTION_MAX]}…"
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut}}


def _short(text: str) -> str:
    escaped = _escaped(text)
    return escaped if len(escaped) <= _SECTION_MAX else f"{escaped[:_SECTION_MAX]}…"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _annotation(notice: Notice) -> dict[str, object]:
    words = notice.words
    head = f"\nrecord {notice.seq}, chain {notice.chain}" if notice.chain else f"\nrecord {notice.seq}"
    span: dict[str, object] = {"time": notice.at_ms}
    if notice.from_ms is not None:
        span = {"time": notice.from_ms, "timeEnd": max(notice.from_ms, notice.at_ms)}
    return {
        **span,
        "tags": ["reverb-sidecar", notice.kind.value, notice.environment, notice.flag],
        "text": f"{_html(words.title)}\n{_html(words.text)}{head}",
    }


def _html(text: str) -> str:
    """Return text as Grafana shows it, which takes an annotation for HTML and sanitises it."""
    return _escaped(text)
