"""The anchored clock, and the detection of jumps of the wall clock."""

from pathlib import Path

import aiohttp
import msgspec
import pytest
from structlog.testing import capture_logs

from sidecar.cli.freeze import once_request
from sidecar.clock import AnchoredClock, JumpWatch, wall_ms
from sidecar.composition import Sidecar
from sidecar.config import SqlitePlace
from sidecar.console.operator_actions import OperatorAction, fact_of
from sidecar.core.facts.observations import Started
from sidecar.core.facts.operator_actions import Frozen
from sidecar.core.facts.windows import Once
from sidecar.flags.evaluations import Context, Evaluations
from sidecar.http.health import Health
from sidecar.journal.memory import MemoryJournal
from sidecar.journal.sqlite.file import Draft, Writer
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.logs import LineCounts
from tests.core.world import on
from tests.shells.flag_proxy import BULK, STREAM, proxy
from tests.shells.running import CONFIG, SECRETS, running
from tests.shells.test_lifecycle import begun

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


DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("ahead_ms", "words"),
    [
        (DAY_MS, ("1 d ahead of this machine's", "shift their times")),
        (61_000, ("ahead of this machine's",)),
        (-3_600_000, ("1 h behind this machine's", "Restart the sidecar")),
        (59_000, ()),
        (0, ()),
    ],
)
async def test_a_journal_in_the_future_says_by_how_much_everywhere(ahead_ms: int, words: tuple[str, ...]) -> None:
    """A date that is a day off is otherwise found when a freeze ends a day early."""
    journal = MemoryJournal(lambda: wall_ms() + ahead_ms)
    with capture_logs() as lines:
        sidecar = await begun(journal, CONFIG)
    it = sidecar.wiring
    status = it.status()
    assert status.clock_ahead_ms == pytest.approx(ahead_ms, abs=5000)
    health = Health(it.state, it.policy_hash, lambda: 1.0, it.clock_ahead_ms)
    (ready,) = [part for part in health.parts() if part.name == "journal"]
    said = [line["message"] for line in lines if line["event"] == "clock.differs"]
    assert ready.is_ready
    assert bool(ready.why) is bool(words)
    assert len(said) == (1 if words else 0)
    for text in (*said, ready.why, " ".join(status.warnings)):
        assert all(word in text for word in words)
    (started,) = [each.observation for each in await journal.read(0, 9) if isinstance(each.observation, Started)]
    assert started.clock_ahead_ms == pytest.approx(ahead_ms if words else 0, abs=5000)


def test_a_freeze_without_a_beginning_begins_by_the_clock_of_the_journal() -> None:
    """The wall clock of the person's machine may be an hour ahead of it: the freeze would begin an hour late."""
    world, request = on(1), once_request("", "2027-02-01", name="term", reason="pupils return")
    assert request.begins_now
    assert not once_request("2027-01-20", "2027-02-01", name="term", reason="pupils return").begins_now
    fact, _ = fact_of(OperatorAction.FREEZE, request, "ann", world.state, world.now_ms)
    assert isinstance(fact, Frozen)
    assert fact.window == Once(from_ms=world.now_ms, until_ms=fact.expires_ms)


async def test_a_freeze_and_its_refusal_say_by_how_much_the_clock_differs(tmp_path: Path) -> None:
    """Its end is before now on the journal's clock, and after now on the person's."""
    journal = await SqliteJournal.open(tmp_path / "sidecar.db")
    await journal.close()
    writer = Writer(tmp_path / "sidecar.db")
    fact = Started(replica="a", version="test")
    writer.commit([Draft(at_ms=wall_ms() + DAY_MS, key=None, observation=fact, body=msgspec.json.encode(fact))])
    writer.close()
    config = msgspec.structs.replace(CONFIG, journal=SqlitePlace(path=str(tmp_path / "sidecar.db")))
    async with running(config) as sidecar:
        for until_ms, status, words in (
            (wall_ms() + DAY_MS // 2, 400, "a freeze ends after now"),
            (wall_ms() + 3 * DAY_MS, 200, "forbids climbing in its windows"),
        ):
            window = {"type": "once", "from_ms": wall_ms(), "until_ms": until_ms}
            found, body = await sidecar.act("freeze", {"reason": "term", "name": "term", "window": window})
            assert found == status
            assert words in body["message"]
            assert "The journal's clock is 1 d ahead of this machine's" in body["message"]
        async with sidecar.session.get(f"{sidecar.urls.public}/readyz") as response:
            assert "1 d ahead" in next(
                part["why"] for part in (await response.json())["parts"] if part["name"] == "journal"
            )
        async with sidecar.session.get(f"{sidecar.urls.operator}/") as page:
            assert "1 d ahead of this machine" in (await page.text()).replace("&#39;", "'")
