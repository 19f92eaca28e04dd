"""The connection: every recorded exchange, and the deadlines by literal times."""

from typing import Any

import msgspec
import pytest

from sidecar.pusher.connection import TRANSITIONS, Connection, Phase
from sidecar.pusher.messages import Arrived, Established, Ponged, Refused, Subscribed, Unreadable, read, subscribe
from tests.captures import lines, recorded

HELLO = '{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"1.2\\",\\"activity_timeout\\":30}"}'
PING, PONG = '{"event":"pusher:ping","data":{}}', '{"event":"pusher:pong","data":{}}'


def error(code: int, message: str = "") -> str:
    """Return a `pusher:error` as Reverb writes it."""
    data = msgspec.json.encode({"code": code, "message": message}).decode()
    return msgspec.json.encode({"event": "pusher:error", "data": data}).decode()


def succeeded(channel: str) -> str:
    """Return a `subscription_succeeded` as Reverb writes it."""
    wire = {"event": "pusher_internal:subscription_succeeded", "data": "{}", "channel": channel}
    return msgspec.json.encode(wire).decode()


def replayed(frames: list[dict[str, Any]], close: object) -> Connection:
    """Return a connection that has processed a recording, with the recording's own messages sent in their order."""
    connection = Connection(0.0)
    for frame in frames:
        if frame["dir"] == "in" and frame["opcode"] == "text":
            connection.receive(frame["payload"], frame["ms"] / 1000)
        elif frame["dir"] == "out" and "pusher:subscribe" in frame["payload"]:
            data = msgspec.json.decode(frame["payload"])["data"]
            if data.get("channel"):
                connection.join(data["channel"], data.get("auth", ""))
    if close is not None:
        connection.ended()
    return connection


LIVE, PUBLIC = "private-live-refresh.7", "news"


@pytest.mark.parametrize(
    ("name", "phase", "code", "subscribed", "refused"),
    [
        ("client-event-not-subscribed",                    Phase.CONNECTED, 4009, set(),                 set()),
        ("connected",                                      Phase.CONNECTED, None, set(),                 set()),
        ("connection-limit-exceeded",                      Phase.REFUSED,   4004, set(),                 set()),
        ("invalid-json",                                   Phase.CONNECTED, 4200, set(),                 set()),
        ("message-too-big",                                Phase.CLOSED,    None, set(),                 set()),
        ("no-event-key",                                   Phase.CONNECTED, 4200, set(),                 set()),
        ("no-query-string",                                Phase.CONNECTED, None, set(),                 set()),
        ("origin-allowed",                                 Phase.CONNECTED, None, set(),                 set()),
        ("origin-disallowed",                              Phase.REFUSED,   4009, set(),                 set()),
        ("origin-disallowed-then-subscribe-public",        Phase.REFUSED,   4009, {PUBLIC},                set()),
        ("origin-missing",                                 Phase.REFUSED,   4009, set(),                 set()),
        ("ping",                                           Phase.CONNECTED, None, set(),                 set()),
        ("plain-http-on-app",                              Phase.AWAITING,  None, set(),                 set()),
        ("protocol-99",                                    Phase.CONNECTED, None, set(),                 set()),
        ("subscribe-auth-wrong-key-prefix-good-signature", Phase.CONNECTED, None, {LIVE},                set()),
        ("subscribe-bad-signature",                        Phase.CONNECTED, 4009, set(),                 {LIVE}),
        ("subscribe-cache-miss",                           Phase.CONNECTED, None, {"cache-news"},        set()),
        ("subscribe-missing-channel",                      Phase.CONNECTED, 4200, set(),                 set()),
        ("subscribe-no-auth",                              Phase.CONNECTED, 4009, set(),                 {LIVE}),
        ("subscribe-ok",                                   Phase.CONNECTED, None, {LIVE},                set()),
        ("subscribe-presence",                             Phase.CONNECTED, None, {"presence-room.1"},   set()),
        ("subscribe-public",                               Phase.CONNECTED, None, {PUBLIC},                set()),
        ("subscribe-signature-of-other-socket",            Phase.CONNECTED, 4009, set(),                 {LIVE}),
        ("subscribe-signed-with-wrong-secret",             Phase.CONNECTED, 4009, set(),                 {LIVE}),
        ("subscribe-twice",                                Phase.CONNECTED, None, {LIVE},                set()),
        ("unknown-pusher-event",                           Phase.CONNECTED, 4200, set(),                 set()),
        ("unsubscribe",                                    Phase.CONNECTED, None, {PUBLIC},                set()),
        ("wrong-app-key",                                  Phase.CLOSED,    4001, set(),                 set()),
        ("wrong-path",                                     Phase.AWAITING,  None, set(),                 set()),
        ("ws-ping-frame",                                  Phase.CONNECTED, None, set(),                 set()),
    ],
)  # fmt: skip
def test_every_recorded_exchange_has_its_phase_error_and_channels(
    name: str, phase: Phase, code: int | None, subscribed: set[str], refused: set[str]
) -> None:
    """Each row is a recording, with the phase, the last error, and the state of the channels."""
    exchange = recorded("ws")[name]
    connection = replayed(exchange.get("frames", []), exchange.get("close"))
    assert connection.phase is phase
    assert (connection.error and connection.error.code) == code
    assert set(connection.refused) == refused
    if phase is not Phase.CLOSED:
        assert connection.subscribed == subscribed
    if phase is Phase.CONNECTED:
        assert connection.socket_id == exchange["sid"]


def test_the_table_above_has_every_recording() -> None:
    """A recording that is added needs a row."""
    test = test_every_recorded_exchange_has_its_phase_error_and_channels
    rows = next(mark for mark in test.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert {row[0] for row in rows.args[1]} == set(recorded("ws"))


@pytest.mark.parametrize(
    "file",
    [
        "subscribed-silent-client",
        "subscribed-ponging-client",
        "subscribed-control-frames-client",
        "unsubscribed-silent-client-never-pinged",
        "unsubscribed-ponging-client-never-pinged",
    ],
)
def test_recorded_pings_are_answered_and_4201_is_recognised(file: str) -> None:
    """Reverb pings a silent subscriber; 4201 is the last message that it sends."""
    connection, pings, pongs = Connection(0.0), 0, 0
    for line in lines(f"15-ping-and-prune/{file}.jsonl"):
        if line["what"] == "in text":
            pings += "pusher:ping" in line["data"]
            connection.receive(line["data"], line["s"])
            pongs += connection.outgoing().count(PONG)
        elif line["what"] == "close":
            connection.ended()
    assert pings == pongs
    is_pruned = file == "subscribed-silent-client"
    assert (connection.error is not None and connection.error.code == 4201) == is_pruned


@pytest.mark.parametrize(
    "folder",
    [
        "01-happy",
        "07-broadcast-delayed-900ms",
        "08-laravel-has-wrong-secret",
        "16-reverb-restart",
        "16-reverb-sigkill",
        "16-reverb-sigterm",
    ],
)
def test_every_recorded_connection_of_a_browser_is_processed(folder: str) -> None:
    """The result is the channels that it joined, and the events that arrived."""
    frames = [
        {"dir": "in" if line["dir"] == "s2c" else "out", "opcode": "text", "payload": line["ws"]["payload"], "ms": 0}
        for line in lines(f"{folder}/ws.jsonl")
        if line.get("ws", {}).get("opcode") == "text" and line["conn"] == 1
    ]
    connection = replayed(frames, None)
    arrived = [
        each
        for each in (read(frame["payload"]) for frame in frames if frame["dir"] == "in")
        if isinstance(each, Arrived)
    ]
    if folder == "08-laravel-has-wrong-secret":
        assert (set(connection.refused), arrived) == ({LIVE}, [])
        return
    assert connection.subscribed == {LIVE}
    if folder in {"01-happy", "07-broadcast-delayed-900ms"}:
        assert [(each.event, each.data) for each in arrived] == [
            ("App\\Events\\LiveRefreshContextsUpdated", '{"contexts":["bookings"]}')
        ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HELLO,                                                    Established(socket_id="1.2", activity_timeout_s=30)),
        (error(4001, "Application does not exist"),                Refused(code=4001, message="Application does not exist")),
        ('{"event":"pusher:error","data":{"message":"x","code":null}}', Refused(code=0, message="x")),
        (succeeded(LIVE),                                          Subscribed(channel=LIVE)),
        ('{"event":"pusher:pong"}',                                Ponged()),
        ('{"event":"pusher:cache_miss","channel":"cache-c"}',      Arrived(event="pusher:cache_miss", channel="cache-c", data="")),
        ('{"event":"client-typing","channel":"c","data":{"a":1}}', Arrived(event="client-typing", channel="c", data='{"a":1}')),
        ('{"event":"e","channel":"c","data":"not json"}',          Arrived(event="e", channel="c", data="not json")),
        ("<html>",                                                 Unreadable(why="DecodeError")),
        ("[]",                                                     Unreadable(why="ValidationError")),
        ('{"event":"pusher:connection_established","data":"{}"}',  Unreadable(why="ValidationError")),
        (b"\xff",                                                  Unreadable(why="DecodeError")),
        ("[" * 5000,                                               Unreadable(why="RecursionError")),
    ],
)  # fmt: skip
def test_a_frame_is_parsed_to_its_message(text: str | bytes, message: object) -> None:
    """Garbage is parsed to `Unreadable`, and raises nothing."""
    read_as = read(text)
    assert read_as == message or (isinstance(message, Unreadable) and isinstance(read_as, Unreadable))


def test_an_error_refuses_the_oldest_pending_channel() -> None:
    """Errors name no channel; Reverb answers in order."""
    connection = Connection(0.0)
    connection.receive(HELLO, 0.0)
    for channel in ("private-a", "private-b", "private-c"):
        connection.join(channel, "k:s")
    connection.receive(succeeded("private-a"), 0.1)
    connection.receive(error(4009), 0.2)
    connection.receive(succeeded("private-c"), 0.3)
    assert (connection.subscribed, set(connection.refused), list(connection.pending)) == (
        {"private-a", "private-c"},
        {"private-b"},
        [],
    )


def test_a_silence_leads_to_a_ping_and_an_unanswered_ping_ends_the_connection() -> None:
    """The ping is due at 30 s, as Reverb advised, and the end 30 s later; one millisecond earlier nothing happens."""
    connection = Connection(0.0)
    connection.receive(HELLO, 1.0)
    connection.advance(30.999)
    assert (connection.outgoing(), connection.next_deadline_s()) == ([], 31.0)
    connection.advance(31.0)
    assert (connection.outgoing(), connection.next_deadline_s()) == ([PING], 61.0)
    connection.advance(60.999)
    assert connection.phase is Phase.CONNECTED
    connection.advance(61.0)
    assert (connection.phase, connection.next_deadline_s()) == (Phase.SILENT, None)


def test_every_received_frame_restarts_the_silence() -> None:
    """A pong, an event and a control frame all count."""
    connection = Connection(0.0)
    connection.receive(HELLO, 0.0)
    connection.advance(30.0)
    connection.note_activity(31.0)
    assert connection.next_deadline_s() == 61.0


def test_a_missing_first_message_is_a_silence() -> None:
    """A proxy may accept the upgrade without reaching Reverb."""
    connection = Connection(0.0)
    connection.advance(30.0)
    assert connection.phase is Phase.SILENT


def test_other_events_leave_the_phase_unchanged() -> None:
    """A closed connection stays closed, and an established one is not established again."""
    connection = Connection(0.0)
    connection.receive(HELLO, 0.0)
    connection.receive(HELLO.replace("1.2", "3.4"), 0.0)
    assert connection.socket_id == "1.2"
    connection.ended()
    connection.receive(HELLO, 0.0)
    assert connection.phase is Phase.CLOSED
    assert set(TRANSITIONS) == set(Phase)


def test_outgoing_messages_are_returned_once() -> None:
    """They are returned in the order of their requests."""
    connection = Connection(0.0)
    connection.join(LIVE, "k:s")
    connection.leave(LIVE)
    assert connection.outgoing() == [
        subscribe(LIVE, "k:s"),
        '{"event":"pusher:unsubscribe","data":{"channel":"private-live-refresh.7"}}',
    ]
    assert connection.outgoing() == []
