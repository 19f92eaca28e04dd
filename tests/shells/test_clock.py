"""The anchored clock, and the detection of jumps of the wall clock."""

import aiohttp
import msgspec
import pytest

from sidecar.clock import AnchoredClock, JumpWatch, wall_ms
from sidecar.composition import Sidecar
from sidecar.flags.evaluations import Context, Evaluations
from sidecar.journal.memory import MemoryJournal
from sidecar.logs import LineCounts
from tests.shells.flag_proxy import BULK, STREAM, proxy
from tests.shells.running import CONFIG, SECRETS

# wall clock, monotonic clock in s, then both again; how far the wall clock jumped
JUMPS = [
    (1_000_000, 10.0, 1_005_000, 15.0,       0),
    (1_000_000, 10.0, 1_006_500, 15.0,   1_500),
    (1_000_000, 10.0,   905_000, 15.0, -100_000),
    (1_000_000, 10.0, 4_600_000, 10.0, 3_600_000),
]  # fmt: skip


@pytest.mark.parametrize(("wall", "monotonic", "wall_later", "monotonic_later", "jump_ms"), JUMPS)
def test_a_jump_is_the_gain_of_the_wall_clock_on_the_monotonic_clock(
    wall: int, monotonic: float, wall_later: int, monotonic_later: float, jump_ms: int
) -> None:
    """Steps by an administrator, and a suspended machine with a stopped monotonic clock, are jumps."""
    walls, monotonics = iter([wall, wall_later, wall_later]), iter([monotonic, monotonic_later, monotonic_later])
    watch = JumpWatch(lambda: next(walls), lambda: next(monotonics))
    assert watch.moved_ms() == jump_ms
    assert watch.moved_ms() == 0, "a jump is reported once"


def test_the_clock_of_a_journal_continues_from_its_last_stamp() -> None:
    """A wall clock that was set back by a day must not give earlier stamps than the last."""
    tomorrow_ms = wall_ms() + 86_400_000
    clock = AnchoredClock(tomorrow_ms)
    assert clock.now_ms() >= tomorrow_ms
    assert AnchoredClock().now_ms() < tomorrow_ms


def test_answers_are_dated_by_the_clock_of_the_journal() -> None:
    """A wall clock that is set back would date an answer before the last one, and clients would keep push."""
    journal = MemoryJournal(lambda: 2_000_000_000_000)
    it = Sidecar(CONFIG, SECRETS, journal, lines=LineCounts()).wiring
    assert it.answers.now_ms() == 2_000_000_000_000
    value = msgspec.json.decode(Evaluations(it.answers, lambda: False).flag("payment-refresh", Context(), 0.0))
    assert value["metadata"]["issued_at"] == value["value"]["issued_at"] == 2_000_000_000_000


async def test_every_way_to_read_the_flag_has_the_same_clock() -> None:
    """The client compares the date of an event with that of a response."""
    async with proxy() as it, aiohttp.ClientSession() as session:
        it.now_ms = lambda: 1_900_000_000_000
        async with session.get(f"{it.url}/flags/payment-refresh") as answer:
            assert answer.headers["Reverb-Sidecar-Issued-At"] == "1900000000000"
        async with session.get(f"{it.url}{STREAM}?targeting_key=7") as stream:
            async for line in stream.content:
                if line.startswith(b"data:"):
                    assert msgspec.json.decode(line[5:])["issued_at"] == 1_900_000_000_000
                    break
        async with session.post(f"{it.url}{BULK}", json={"context": {"targetingKey": "7"}}) as bulk:
            assert (await bulk.json())["flags"][0]["value"]["issued_at"] == 1_900_000_000_000
