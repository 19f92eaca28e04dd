"""The parsers, each as a function of bytes that raises only if the parser breaks its contract."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from sidecar.config import ConfigInvalid, Stripe, read_config
from sidecar.core.facts.observations import UNREADABLE, Checkpoint
from sidecar.core.fold.checkpoints import restored
from sidecar.core.fold.fold import fold
from sidecar.core.fold.serving import bucket_of
from sidecar.core.fold.state import FOLD_VERSION, State, encode
from sidecar.doctor.curl import findings, masked, read_curl
from sidecar.doctor.refusal import reason_in
from sidecar.flags.evaluations import stream_uri
from sidecar.flags.ofrep import context_in
from sidecar.journal.memory import MemoryJournal
from sidecar.journal.snapshots import loaded, snapshot_of
from sidecar.journal.sqlite.reader import decoded
from sidecar.ports import SidecarError
from sidecar.probes.ack_entries import fact_of_entry
from sidecar.probes.acks import Acks
from sidecar.probes.auth_responses import Answer, auth_in, refusal_of
from sidecar.probes.deliveries import Deliveries
from sidecar.probes.probe_record import Ended
from sidecar.probes.reports import Report, Reports, family_of, reading_of
from sidecar.probes.stripe_webhook import StripeWebhook
from sidecar.pusher.connection import Connection
from sidecar.pusher.messages import Arrived
from sidecar.pusher.signing import App, fault_of
from sidecar.tokens import BrowserTokens, bearer_token, is_same
from tests.core.world import LAX, World
from tests.shells.browser_reports import REPORT, SECRET, token
from tests.shells.running import event

_SECRET = "whsec_fuzzed_0123456789abcdef"
_KEY = "identity-key-for-the-tests-012345"


_webhook = StripeWebhook(
    MemoryJournal(),
    Stripe(livemode=False, user_key="user_id", required_metadata=("booking_id",)),
    (_SECRET,),
    _KEY,
)
_acks = Acks(MemoryJournal(), "token-for-the-fuzzer", _KEY, Reports(MemoryJournal(), None, None))
_tokens = BrowserTokens((SECRET,), "test")
_folder = Path(tempfile.mkdtemp(prefix="reverb-sidecar-fuzz-"))


def webhook_body(data: bytes) -> None:
    """Parse a body with a valid signature."""
    with suppress(SidecarError):
        _webhook.to_observation(data, 1_790_000_000)


def signature(data: bytes) -> None:
    """Parse a signature header with a body."""
    header, _, body = data.partition(b"\n")
    with suppress(SidecarError):
        decoded = header.decode("latin-1")
        _webhook.verify(body, decoded, _webhook.check_header(decoded))


def browser_report(data: bytes) -> None:
    """Parse a browser's report."""
    with suppress(SidecarError, *UNREADABLE):
        reading_of(msgspec.json.decode(data, type=Report))
    family_of(data.decode("latin-1"))


def evaluation(data: bytes) -> None:
    """Parse an OFREP request, and answer it."""
    with suppress(SidecarError):
        context = context_in(data)
        stream_uri(context)
        bucket_of("payment-refresh", context.targeting_key or "")


def browser_token(data: bytes) -> None:
    """Check a token."""
    with suppress(SidecarError):
        _tokens.check(data.decode("latin-1"))


def ack_body(data: bytes) -> None:
    """Read an ack and its idempotency key."""
    body, _, key = data.partition(b"\n")
    with suppress(SidecarError):
        _acks.observed(body, key.decode("latin-1"))


def stream_entry(data: bytes) -> None:
    """Read an entry: fields by lines, each `name=value`."""
    fields = dict(line.partition(b"=")[::2] for line in data.split(b"\n"))
    with suppress(SidecarError):
        fact_of_entry(b"1-1", fields, identity_key=_KEY)


def config(data: bytes) -> None:
    """Read a configuration."""
    path = _folder / "sidecar.yaml"
    path.write_bytes(data)
    with suppress(ConfigInvalid):
        read_config(path)


def record(data: bytes) -> None:
    """Read a record and fold it."""
    with suppress(SidecarError):
        fold(State(), decoded(Path("journal.db"), (1, 1, data)))


def checkpoint(data: bytes) -> None:
    """Read the state of a checkpoint; an invalid one is rejected."""
    fact = Checkpoint(replica="a", fold_version=FOLD_VERSION, folded_seq=1, day=1, state=msgspec.Raw(data))
    with suppress(*UNREADABLE, ValueError):
        encode(restored(fact))


def snapshot(data: bytes) -> None:
    """Load a snapshot with a valid digest; an invalid one is rejected with a reason."""
    state, why_not = loaded(snapshot_of(1, data), 1)
    assert (state is None) == bool(why_not)


def bearer(data: bytes) -> None:
    """Read an Authorization header."""
    with suppress(SidecarError):
        is_same(bearer_token({"Authorization": data.decode("latin-1")}), "token-for-the-fuzzer")


def pusher_message(data: bytes) -> None:
    """Feed a connection with a frame: garbage is a value, and the connection goes on."""
    connection = Connection(0.0)
    connection.join("private-a", "k:s")
    for frame in data.split(b"\n"):
        connection.receive(frame, 1.0)
    connection.advance(1e9)
    connection.outgoing()


def auth_answer(data: bytes) -> None:
    """Parse an auth endpoint's answer: status, type and body."""
    status, kind, body = [*data.split(b"\n", 2), b"", b""][:3]
    answer = Answer(
        status=int(status) if status.isdigit() and len(status) == 3 else 200,
        headers={"content-type": kind.decode("latin-1"), "location": kind.decode("latin-1")},
        body=body,
    )
    refusal_of(answer)
    reason_in(body)
    with suppress(Ended):
        auth, channel_data = auth_in(answer)
        fault_of(App(app_id="1", key="k", secret="s"), auth, "1.2", "private-a", channel_data)


def curl_command(data: bytes) -> None:
    """Parse a pasted curl command, and diagnose it."""
    with suppress(SidecarError):
        request = read_curl(data.decode(errors="replace"))
        findings(request, auth_endpoint="https://a.test/broadcasting/auth", channel="private-live-refresh.{user_id}")
        masked(request)


def delivery(data: bytes) -> None:
    """Parse a broadcast."""
    deliveries = Deliveries(observer_channel="private-reverb-sidecar", identity_key=_KEY)
    message = Arrived(
        event="LiveRefreshContextsUpdated", channel="private-reverb-sidecar", data=data.decode(errors="replace")
    )
    deliveries.arrived(1, message, frozenset({1, 2}))
    deliveries.arrived(2, message, frozenset({1, 2}))


def planted(data: bytes) -> None:
    """Fail on four specific bytes: shows that the fuzzer follows the branches of the code."""
    if data[:1] == b"S" and data[1:2] == b"t" and data[2:3] == b"r" and data[3:4] == b"i":
        message = "found"
        raise AssertionError(message)


def _life() -> World:
    world = World(LAX)
    world.wire()
    world.good(2)
    return world


def _seeds() -> dict[str, list[bytes]]:
    paid = msgspec.json.encode(event("pi_1", livemode=False))
    life = _life()
    return {
        "webhook_body": [paid, paid.replace(b'"event"', b'"v2.core.event"')],
        "signature": [b"t=1790000000,v1=00\n{}", b"t=1,t=2,v1=,v0=a\n"],
        "browser_report": [
            msgspec.json.encode({"token": "a.b.c", **REPORT}),
            msgspec.json.encode({"token": "a.b.c", **REPORT, "subscription": "refused", "auth_status": 403}),
        ],
        "evaluation": [
            b'{"context": {"targetingKey": "u1", "checksLease": true, "more": [1, {"a": null}]}}',
            b'{"context": null}',
            b"{}",
        ],
        "browser_token": [
            token().encode(),
        ],
        "ack_body": [
            b'{"stage":"delivered","payment_intent":"pi_1","contexts":["bookings"]}\nkey',
            b'{"stage":"skipped"}',
            b'{"auth":"guest","channel":"private-live-refresh.7"}\n',
        ],
        "pusher_message": [
            (
                b'{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"1.2\\",\\"activity_timeout\\":30}"}\n'
                b'{"event":"pusher:error","data":"{\\"code\\":4009,\\"message\\":\\"x\\"}"}\n{"event":"pusher:ping"}'
            ),
        ],
        "auth_answer": [
            b'200\napplication/json\n{"auth":"k:00","channel_data":"{}"}',
            b"403\ntext/html\n<title>Just a moment...</title>",
            b'403\napplication/json\n{"message":"","file":"/PusherBroadcaster.php","trace":[{"function":"auth"}]}',
        ],
        "curl_command": [
            b"curl 'https://a.test/broadcasting/auth' -H 'authorization: Bearer x' --data-raw 'socket_id=1.2&channel_name=private-a'",
            b'curl ^"https://a.test/x^" ^\n -H ^"a: b^"',
        ],
        "delivery": [b'{"payment_intent":"pi_1","user_id":7,"contexts":["bookings"]}'],
        "stream_entry": [
            b"auth=guest\nchannel=private-live-refresh.7",
            b'stage=paid\npayment_intent=pi_1\ncontexts=["a"]',
            b"stage=skipped\nreason=failed\nuser_id=7",
        ],
        "config": [(Path(__file__).parents[2] / "sidecar" / "config" / "sidecar.yaml").read_bytes()],
        "record": [msgspec.json.encode(each.observation) for each in life.records[:20]],
        "checkpoint": [encode(life.state)],
        "snapshot": [encode(life.state)],
        "bearer": [b"Bearer token-for-the-fuzzer"],
        "planted": [b"none"],
    }


SEEDS = _seeds()
TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        webhook_body,
        signature,
        ack_body,
        browser_report,
        browser_token,
        evaluation,
        stream_entry,
        config,
        record,
        checkpoint,
        snapshot,
        bearer,
        pusher_message,
        auth_answer,
        curl_command,
        delivery,
        planted,
    )
}
"""Targets by name. `planted` is not a parser of the sidecar."""
PARSERS = [name for name in TARGETS if name != "planted"]
