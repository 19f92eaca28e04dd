"""Requests for each kind of target, and what they must not contain."""

import hashlib
import hmac

import msgspec
import pytest

from sidecar.composition import kinds_of
from sidecar.config import TargetKind
from sidecar.notifications import NotificationKind, Target
from sidecar.parts.routes import declared_paths
from tests.notifications.receiving import Annotation
from tests.notifications.sample import CHAIN, KEY, notification, target

NOW_S = 1_800_000_123
EVIL = "<!channel> & <script>alert(1)</script> *bold* " + "x" * 6000


def test_a_webhook_receives_the_whole_event_with_a_signature() -> None:
    """The signature covers the time and the body, like Stripe's; a retry has the same idempotency key."""
    hook = target("https://hooks.example.test/in", console_url="https://sidecar.example.test")
    outgoing = hook.request(notification(), NOW_S)
    body = msgspec.json.decode(outgoing.body)
    assert body == {
        "event": "moved:7",
        "kind": "fell",
        "tone": "bad",
        "environment": "test",
        "flag": "payment-refresh",
        "title": "payment-refresh in test: push fell",
        "text": "All payers are on timers.",
        "next": "Find the cause.",
        "at_ms": 1_800_000_060_000,
        "from_ms": None,
        "seq": 7,
        "chain": CHAIN,
        "url": "https://sidecar.example.test/decisions/7",
        "facts": {"cause": "alarm", "to_rung": 0},
        "version": body["version"],
    }
    code = hmac.new(KEY.encode(), f"{NOW_S}.".encode() + outgoing.body, hashlib.sha256).hexdigest()
    assert outgoing.headers["Reverb-Sidecar-Signature"] == f"t={NOW_S},v1={code}"
    assert outgoing.headers["Idempotency-Key"] == "moved:7"
    assert outgoing.url == "https://hooks.example.test/in"


def test_slack_receives_blocks_and_plain_text_with_a_link() -> None:
    """Clients without blocks, and notifications on a phone, show the text."""
    outgoing = target("https://hooks.example.test/s", TargetKind.SLACK, console_url="https://c.example.test").request(
        notification(), NOW_S
    )
    body = msgspec.json.decode(outgoing.body)
    assert [block["type"] for block in body["blocks"]] == ["section", "section", "section", "context"]
    assert body["blocks"][0]["text"] == {"type": "mrkdwn", "text": "🔴 *payment-refresh in test: push fell*"}
    assert body["blocks"][3]["elements"][0]["text"] == (
        f"record 7 · chain `{CHAIN}` · <https://c.example.test/decisions/7|Open the console>"
    )
    assert "All payers are on timers.\nNext: Find the cause." in body["text"]
    assert CHAIN in body["text"]
    assert not {"Authorization", "Reverb-Sidecar-Signature"} & set(outgoing.headers)


def test_text_of_people_is_escaped_and_cut_to_the_limit() -> None:
    """In Slack `<!channel>` would notify everybody, and 3001 characters are rejected."""
    slack = msgspec.json.decode(target("https://x.test", TargetKind.SLACK).request(notification(text=EVIL), NOW_S).body)
    texts = [slack["text"], *(block["text"]["text"] for block in slack["blocks"] if block["type"] == "section")]
    assert all(len(text) <= 3000 for text in texts)
    assert not any("<!" in text or "<script" in text for text in texts)
    assert "&lt;!channel&gt; &amp; " in texts[2]
    grafana = msgspec.json.decode(
        target("https://x.test", TargetKind.GRAFANA).request(notification(text=EVIL), NOW_S).body
    )
    assert "<script" not in grafana["text"]


def test_only_decisions_link_to_their_page_in_the_console() -> None:
    """Other events link to the console, and there is no link without a console URL."""
    suspension = notification(kind=NotificationKind.SUSPENSION_BEGAN)
    assert target("https://x.test", console_url="https://c.example.test").link(suspension) == "https://c.example.test"
    assert target("https://x.test").link(notification()) is None
    assert ("operator", "/decisions/{seq}") in declared_paths(kinds_of())


@pytest.mark.parametrize(
    ("kind", "time_ms", "end_ms"),
    [
        (NotificationKind.FELL, 1_800_000_060_000, 0),
        (NotificationKind.SUSPENSION_ENDED, 1_800_000_000_000, 1_800_000_060_000),
    ],
)
def test_grafana_receives_a_point_or_a_region(kind: NotificationKind, time_ms: int, end_ms: int) -> None:
    """A suspension is a region in every graph; the text has the head of the chain."""
    outgoing = target("https://grafana.example.test/", TargetKind.GRAFANA).request(notification(kind=kind), NOW_S)
    found = msgspec.json.decode(outgoing.body, type=Annotation)
    assert (found.time, found.timeEnd) == (time_ms, end_ms)
    assert found.tags == ["reverb-sidecar", kind.value, "test", "payment-refresh"]
    assert f"record 7, chain {CHAIN}" in found.text
    assert outgoing.url == "https://grafana.example.test/api/annotations"
    assert outgoing.headers["Authorization"] == f"Bearer {KEY}"


# fmt: off
TAKES = [
    # kind of target,     kinds of events
    (TargetKind.WEBHOOK,  set(NotificationKind) - {NotificationKind.RELEASED}),
    (TargetKind.SLACK,    set(NotificationKind) - {NotificationKind.RELEASED}),
    (TargetKind.GRAFANA,  {NotificationKind.CLIMBED, NotificationKind.RETURNED, NotificationKind.FELL, NotificationKind.MOVED,
                           NotificationKind.SUSPENSION_BEGAN, NotificationKind.SUSPENSION_ENDED, NotificationKind.RELEASED, NotificationKind.TEST}),
]
# fmt: on


@pytest.mark.parametrize(("kind", "kinds"), TAKES)
def test_each_kind_of_target_receives_its_kinds_of_events(kind: TargetKind, kinds: set[NotificationKind]) -> None:
    """Graphs show moves, suspensions and releases; people receive events that may require an action."""
    assert {each for each in NotificationKind if target("https://x.test", kind).takes(each)} == kinds


def test_no_target_shows_its_secrets() -> None:
    """A traceback or a log with a target must not contain its URL or key."""
    hidden: Target = target("https://hooks.example.test/T0/B0/very-secret")
    assert "very-secret" not in repr(hidden)
    assert KEY not in repr(hidden)
