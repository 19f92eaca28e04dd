"""Writes what pins the fold: `python -m tests.core.golden`, after a change that was meant to give another state.

`golden/journal-7.jsonl`: a life of payments and acks, with the decisions of the rules of fold version 7;
`golden/payers-7.jsonl`: one of probes, channel auths and payers' browsers; `golden/people-7.jsonl`: one of what people
do; `golden/tester-8.jsonl`: one of overrides. The three without a number are those of older rules, which every later version reads. `golden/digests.json`: fold
version → the SHA-256 of the states that all give.
`golden/checkpoint-N.json`: a checkpoint of fold version N, which every later one reads.
"""

import hashlib
import json
from pathlib import Path

import msgspec

from sidecar.core.facts import wire
from sidecar.core.facts.auth_probes import IsolationOutcome, UserAuth
from sidecar.core.facts.observations import (
    AcksLost,
    Checkpoint,
    EpochRenewed,
    Heartbeat,
    IgnoreReason,
    NotificationClaimed,
    Observation,
    Record,
    SkipReason,
)
from sidecar.core.facts.operator_actions import Noted, OverrideCleared, Thawed
from sidecar.core.facts.policy import Mode, Stage
from sidecar.core.facts.reports import Flow, Reading
from sidecar.core.facts.windows import Once, Weekly
from sidecar.core.fold.checkpoints import checkpoint_of
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import FOLD_VERSION, State, encode
from tests.core.probed import ProbedWorld, probed
from tests.core.world import LAX, MINUTE, REACHED, REFUSED, REVERB, SECOND, World, on

FOLDER = Path(__file__).parent / "golden"
JOURNAL = FOLDER / "journal-7.jsonl"
PAYERS = FOLDER / "payers-7.jsonl"
PEOPLE = FOLDER / "people-7.jsonl"
TESTER = FOLDER / "tester-8.jsonl"
LIVES = (JOURNAL, PAYERS, PEOPLE, TESTER)
OLD_JOURNAL, OLD_PAYERS, OLD_PEOPLE = FOLDER / "journal.jsonl", FOLDER / "payers.jsonl", FOLDER / "people.jsonl"
KEPT = (OLD_JOURNAL, OLD_PAYERS, OLD_PEOPLE, *LIVES)
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
    world.see(Heartbeat(replica="a", beat=1, silent_sources=("ack_stream",)))
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


def life_of_payers() -> list[Record]:
    """Return a life with probes that fail, payers on a rung, every verdict, and an alarm of payers' browsers."""
    reverb = msgspec.structs.replace(REVERB, round_trip_reliability_ppm=900_000, auth_reliability_ppm=900_000)
    world = ProbedWorld(msgspec.structs.replace(LAX, payers_on_rung=2, reverb=reverb))
    world.probe_isolation(IsolationOutcome.REFUSED)
    world.wire()
    world.wait(40 * MINUTE)
    world.climb_to(1)
    rung = world.state.rung
    served = msgspec.structs.replace(
        REACHED, mode=rung.mode if rung else REACHED.mode, version=world.state.flag.version
    )
    for number, flow in enumerate((Flow.IN_PAGE, Flow.REDIRECT) * 3):
        world.authorise(f"u{number}", UserAuth.OK)
        tell(world, f"u{number}", msgspec.structs.replace(served, flow=flow))
        tell(world, f"u{number}", served)  # a second vote of the day
        world.wait(2 * SECOND)
    world.report("pi_early", "u9", served)
    world.report("pi_never", "u9", served)
    world.ack(world.pay(name="pi_early", user="u9"))
    tell(world, "u10", msgspec.structs.replace(served, cleared_ms=None, cleared_by=None, watched_ms=10))
    tell(world, "u11", msgspec.structs.replace(served, cleared_ms=None, cleared_by=None))
    late = world.pay(user="u12")
    world.ack(late)
    world.watch("u1")
    world.wait(12 * MINUTE)
    world.fail()
    world.observe(is_up=False)
    world.wait(40 * SECOND)
    tell(world, "r9", REFUSED)  # in the suspension
    world.recover()
    world.observe(is_up=True)
    world.wait(12 * MINUTE)
    world.report(late, "u12")
    for number in range(2):
        world.authorise(f"r{number}", UserAuth.GUEST)
        tell(world, f"r{number}", REFUSED)
        world.wait(3 * SECOND)
    for number in range(5):
        tell(world, f"v{number}", REFUSED)
        world.wait(2 * SECOND)
    world.pay(user=None)
    world.wait(11 * MINUTE)
    for _ in range(40):
        world.sleep(60 * MINUTE)
        world.beat()
    tell(world, "u0")
    return world.records


def life_of_people() -> list[Record]:
    """Return a life with all that people do: freezes that begin, end, expire and are thawed, a rollback, a release."""
    world: World = on(1)
    world.decides = True
    soon_ms = world.now_ms + 1 * MINUTE
    world.freeze("term", Once(from_ms=soon_ms, until_ms=soon_ms + 1 * MINUTE))
    world.freeze("nights", Weekly(days=(4, 5), from_minute=0, lasts_minutes=600, utc_offset_minutes=330))
    world.freeze("gone soon", Once(from_ms=soon_ms - 1 * SECOND, until_ms=soon_ms))
    world.see(Noted(actor="ann", text="a new booking form", release="2027.1"))
    world.good(30)
    world.see(Thawed(actor="bob", reason="all is quiet", name="nights"))
    world.wait(2 * MINUTE)
    world.freeze("nights", Weekly(days=(4, 5), from_minute=0, lasts_minutes=1440, utc_offset_minutes=-60))
    world.roll_back()
    world.good(3)
    world.see(Noted(actor="ann", text="a thing that is no release"))
    world.resume()
    indicator = world.state.indicators["payments"]
    renewed = EpochRenewed(
        replica="a", indicator="payments", epoch=indicator.epoch + 1, guard_version=world.state.flag.guard_version
    )
    world.see(renewed)
    for _ in range(2):
        world.see(NotificationClaimed(replica="a", event="fell:7", target="ops"))
    world.good(3)
    return world.records


def life_of_a_tester() -> list[Record]:
    """Return a life with two overrides: a test that is not evidence, one that is cleared, and one that expires."""
    world = probed(1)
    first = world.override("tester")
    tell(world, "tester")
    world.wait(MINUTE)
    world.see(OverrideCleared(actor="bob", reason="it works", override=first))
    world.override("other", mode=Mode.TIMER_POLLING, lasts_ms=MINUTE)
    world.wait(5 * MINUTE)
    world.good(3)
    return world.records


def tell(world: World, user: str, reported: Reading = REACHED) -> None:
    """Make a user pay, be broadcast to, and their browser tell of it."""
    name = world.pay(user=user)
    world.ack(name)
    world.report(name, user, reported)


def golden(kept: Path = JOURNAL) -> list[Record]:
    """Return a journal that is kept, with its bytes as they were written."""
    return [_record(msgspec.json.decode(line, type=_Line)) for line in kept.read_bytes().splitlines()]


class _Line(msgspec.Struct):
    seq: int
    at_ms: int
    observation: msgspec.Raw


def _record(line: _Line) -> Record:
    observation: Observation = wire.decode(line.observation)
    return Record(seq=line.seq, at_ms=line.at_ms, observation=observation, kept=bytes(line.observation))


def folded(records: list[Record]) -> State:
    """Fold from the beginning."""
    state = State()
    for record in records:
        fold(state, record)
    return state


def digest() -> str:
    """Return the SHA-256 of the states that the journals give."""
    return hashlib.sha256(b"".join(encode(folded(golden(kept))) for kept in KEPT)).hexdigest()


def schema() -> bytes:
    """Return the format of a checkpoint's state, as JSON Schema."""
    return json.dumps(msgspec.json.schema(State), indent=1, sort_keys=True).encode() + b"\n"


def main() -> None:
    """Write what is missing or of the present fold version; the journals are written once."""
    FOLDER.mkdir(exist_ok=True)
    for kept, written in (
        (JOURNAL, life),
        (PAYERS, life_of_payers),
        (PEOPLE, life_of_people),
        (TESTER, life_of_a_tester),
    ):
        if not kept.exists():
            kept.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in written()))
    known: dict[str, str] = json.loads(DIGESTS.read_text()) if DIGESTS.exists() else {}
    DIGESTS.write_text(json.dumps(known | {str(FOLD_VERSION): digest()}, indent=1) + "\n")
    checkpoint: Checkpoint = checkpoint_of(folded(golden(PAYERS)), "golden")
    checkpoint_path(FOLD_VERSION).write_bytes(msgspec.json.encode(checkpoint) + b"\n")
    SCHEMA.write_bytes(schema())


if __name__ == "__main__":
    main()
