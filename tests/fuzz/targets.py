"""The parsers, each as a function of bytes that raises nothing unless the parser breaks its promise."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from sidecar.config import ConfigInvalid, RedisStream, Stripe, read_config
from sidecar.core.checkpoints import restored
from sidecar.core.fold import fold
from sidecar.core.observations import UNREADABLE, Checkpoint
from sidecar.core.state import FOLD_VERSION, State, encode
from sidecar.journal.memory import MemoryJournal
from sidecar.journal.sqlite_file import decoded
from sidecar.journal.starting import loaded, snapshot_of
from sidecar.ports import SidecarError
from sidecar.probes.ack_stream import AckStream
from sidecar.probes.acks import Acks
from sidecar.probes.stripe_webhook import StripeWebhook
from sidecar.tokens import bearer_token, is_same
from tests.core.world import LAX, World
from tests.shells.running import event

_SECRET = "whsec_fuzzed_0123456789abcdef"
_KEY = "identity-key-for-the-tests-012345"


def _ignore(_: str) -> None:
    """Count nothing."""


_webhook = StripeWebhook(
    MemoryJournal(),
    Stripe(livemode=False, user_key="user_id", required_metadata=("booking_id",)),
    (_SECRET,),
    _KEY,
    _ignore,
)
_acks = Acks(MemoryJournal(), "token-for-the-fuzzer", _KEY, _ignore)
_stream = AckStream(MemoryJournal(), RedisStream(url="redis://127.0.0.1"), _ignore, identity_key=_KEY)
_folder = Path(tempfile.mkdtemp(prefix="reverb-sidecar-fuzz-"))


def webhook_body(data: bytes) -> None:
    """Read a body whose signature was right."""
    with suppress(SidecarError):
        _webhook.observed(data, 1_790_000_000)


def signature(data: bytes) -> None:
    """Read a header beside a body."""
    header, _, body = data.partition(b"\n")
    with suppress(SidecarError):
        _webhook.verified(body, header.decode("latin-1"))


def ack_body(data: bytes) -> None:
    """Read an ack and its idempotency key."""
    body, _, key = data.partition(b"\n")
    with suppress(SidecarError):
        _acks.observed(body, key.decode("latin-1"))


def stream_entry(data: bytes) -> None:
    """Read an entry: fields by lines, each `name=value`."""
    fields = dict(line.partition(b"=")[::2] for line in data.split(b"\n"))
    with suppress(SidecarError):
        _stream.fact_of_entry(b"1-1", fields)


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
    """Read the state in a checkpoint: what is no state is refused."""
    fact = Checkpoint(replica="a", fold_version=FOLD_VERSION, folded_seq=1, day=1, state=msgspec.Raw(data))
    with suppress(*UNREADABLE, ValueError):
        encode(restored(fact))


def snapshot(data: bytes) -> None:
    """Load a snapshot whose digest is right: it is refused in words, and never raises."""
    state, why_not = loaded(snapshot_of(1, data), 1)
    assert (state is None) == bool(why_not)


def bearer(data: bytes) -> None:
    """Read an Authorization header."""
    with suppress(SidecarError):
        is_same(bearer_token({"Authorization": data.decode("latin-1")}), "token-for-the-fuzzer")


def planted(data: bytes) -> None:
    """Fail on four bytes that nobody guesses: shows that the fuzzer follows the branches of the code."""
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
        "ack_body": [
            b'{"stage":"delivered","payment_intent":"pi_1","contexts":["bookings"]}\nkey',
            b'{"stage":"skipped"}',
        ],
        "stream_entry": [
            b'stage=paid\npayment_intent=pi_1\ncontexts=["a"]',
            b"stage=skipped\nreason=failed\nuser_id=7",
        ],
        "config": [(Path(__file__).parents[2] / "config" / "sidecar.yaml").read_bytes()],
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
        stream_entry,
        config,
        record,
        checkpoint,
        snapshot,
        bearer,
        planted,
    )
}
"""By name. `planted` is no parser of ours."""
