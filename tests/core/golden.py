"""Writes what pins the fold: `python -m tests.core.golden`, after a change that was meant to give another state.

`golden/journal.jsonl`: a life in which everything happens, the same for ever. `golden/digests.json`: fold version → the
SHA-256 of the state that it gives. `golden/checkpoint-N.json`: a checkpoint of fold version N, which every later one reads.
"""

import hashlib
import json
from pathlib import Path

import msgspec

from sidecar.core.checkpoints import checkpoint_of
from sidecar.core.fold import fold
from sidecar.core.observations import AcksLost, Checkpoint, Heartbeat, IgnoreReason, Record, SkipReason
from sidecar.core.policy import Stage
from sidecar.core.state import FOLD_VERSION, State, encode
from tests.core.world import SECOND, World, on

FOLDER = Path(__file__).parent / "golden"
JOURNAL = FOLDER / "journal.jsonl"
DIGESTS = FOLDER / "digests.json"
SCHEMA = Path(__file__).parents[2] / "docs" / "checkpoint.schema.json"


def checkpoint_path(version: int) -> Path:
    """Return where the checkpoint of a fold version is."""
    return FOLDER / f"checkpoint-{version}.json"


def life() -> list[Record]:
    """Return a life with a climb, a fall, people, silences, losses and both kinds of acks."""
    world: World = on(2)
    world.hold()
    world.ignore("pi_other", IgnoreReason.MISSING_METADATA)
    world.ack("pi_other")
    world.ack(world.pay(name="pi_skipped"), Stage.SKIPPED, SkipReason.NO_BOOKING)
    world.broadcast()
    world.resume()
    world.outage()
    world.good(3)
    world.see(Heartbeat(replica="a", beat=1, unseen=("ack_stream",)))
    world.pay()
    world.see(AcksLost(source="ack_stream", count=2))
    world.jump(-5 * SECOND)
    world.wait(3600 * SECOND)
    world.see(checkpoint_of(world.state, "a"))
    world.good(30)
    world.approve(2)
    world.reset()
    world.good(5)
    world.pay()
    return world.records


def golden() -> list[Record]:
    """Return the journal that is kept."""
    return [msgspec.json.decode(line, type=Record) for line in JOURNAL.read_bytes().splitlines()]


def folded(records: list[Record]) -> State:
    """Fold from the beginning."""
    state = State()
    for record in records:
        fold(state, record)
    return state


def digest(state: State) -> str:
    """Return the SHA-256 of the encoded state."""
    return hashlib.sha256(encode(state)).hexdigest()


def schema() -> bytes:
    """Return the format of a checkpoint's state, as JSON Schema."""
    return json.dumps(msgspec.json.schema(State), indent=1, sort_keys=True).encode() + b"\n"


def main() -> None:
    """Write what is missing or of the present fold version; the journal is written once."""
    FOLDER.mkdir(exist_ok=True)
    if not JOURNAL.exists():
        JOURNAL.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in life()))
    state = folded(golden())
    known: dict[str, str] = json.loads(DIGESTS.read_text()) if DIGESTS.exists() else {}
    DIGESTS.write_text(json.dumps(known | {str(FOLD_VERSION): digest(state)}, indent=1) + "\n")
    checkpoint: Checkpoint = checkpoint_of(state, "golden")
    checkpoint_path(FOLD_VERSION).write_bytes(msgspec.json.encode(checkpoint) + b"\n")
    SCHEMA.write_bytes(schema())


if __name__ == "__main__":
    main()
