"""Told once, whatever becomes of the target, the process or the journal; and nobody ever waits for it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from sidecar.config import TargetKind
from sidecar.core.facts.observations import Held, NotificationClaimed, Observation, Record
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.conclusions import FlagMoved
from sidecar.core.fold.state import State
from sidecar.journal.follower import Follower
from sidecar.journal.memory import MemoryJournal
from sidecar.metrics.declarations import Counts, Key
from sidecar.notifications import Attempt, NotificationResult, Notifier, Pace, Selector, Target
from sidecar.notifications.delivery import send, session
from sidecar.ports import Appended, ErrorCode, SidecarError, Task
from tests.core.world import HOUR, World, on
from tests.e2e.processes import free_port, until
from tests.notifications.receiving import OperatorAction, annotate, cut, drip, hang, receiving, says, well
from tests.notifications.sample import notification, target
from tests.probes.certificates import Certificates

QUICK = Pace(attempt_within_s=0.2, first_pause_s=0.01, pause_max_s=0.02, give_up_after_s=0.5, waiting_max=100)
PATIENT = msgspec.structs.replace(QUICK, attempt_within_s=5, give_up_after_s=30)


@pytest.fixture(autouse=True)
def _plain_log() -> None:
    structlog.reset_defaults()


class Bare(Selector):
    """A watch of a journal that nothing happens in."""

    def __init__(self) -> None:
        super().__init__(State(), stuck_after_ms=HOUR, suspended_after_ms=HOUR)


@asynccontextmanager
async def notifying(
    targets: Sequence[Target],
    pace: Pace = PATIENT,
    *,
    journal: MemoryJournal | None = None,
    replica: str = "a",
) -> AsyncIterator[Notifier]:
    """Run a notifier for a while."""
    notifier = Notifier(journal or MemoryJournal(), Bare(), targets, replica=replica, pace=pace)
    task = asyncio.create_task(notifier.run())
    try:
        yield notifier
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def counted(*counts: Counts) -> Counter[Key]:
    """Return what was counted, of several notifiers together."""
    return Counter({key: sum(each[key] for each in counts) for key, _ in counts[0].items()}) - Counter()


async def come(notifier: Notifier, result: NotificationResult, count: int = 1, kind: str = "webhook") -> None:
    """Wait until so many notifications ended so."""

    async def is_there() -> bool:
        return notifier.results[kind, result.value] >= count

    await until(is_there, f"{count} notifications are {result}: {notifier.results}", within_s=20)


def tell(notifier: Notifier, *events: str) -> None:
    """Let these events happen."""
    for event in events:
        for line in notifier._lines:
            notifier._queue(line, notification(event))


# fmt: off
TROUBLES: list[tuple[list[OperatorAction], list[Attempt], NotificationResult]] = [
    # what the target does                         attempts that come first        what becomes of the notification
    ([well],                                       [],                             NotificationResult.DELIVERED),
    ([says(204)],                                  [],                             NotificationResult.DELIVERED),
    ([drip],                                       [],                             NotificationResult.DELIVERED),
    ([says(500), says(502), well],                 [Attempt.FAILED] * 2,           NotificationResult.DELIVERED),
    ([says(429, Retry_After="0"), well],           [Attempt.BUSY],                 NotificationResult.DELIVERED),
    ([cut, well],                                  [Attempt.UNREACHABLE],          NotificationResult.DELIVERED),
    ([says(301, Location="http://169.254.1.1/")],  [Attempt.REDIRECTED],           NotificationResult.GIVEN_UP),
    ([says(307, Location="/elsewhere"), well],     [Attempt.REDIRECTED],           NotificationResult.GIVEN_UP),
    ([says(400), well],                            [Attempt.REFUSED],              NotificationResult.GIVEN_UP),
    ([says(404), well],                            [Attempt.REFUSED],              NotificationResult.GIVEN_UP),
    ([says(410), well],                            [Attempt.REFUSED],              NotificationResult.GIVEN_UP),
]
# fmt: on


@pytest.mark.parametrize(("actions", "attempts", "result"), TROUBLES)
async def test_what_may_pass_is_tried_again_and_what_will_not_is_given_up(
    actions: list[OperatorAction], attempts: list[Attempt], result: NotificationResult
) -> None:
    """A redirect is never followed: who answers could lead us to anything that this machine reaches."""
    async with receiving(*actions) as receiver, notifying([target(receiver.url)]) as notifier:
        tell(notifier, "moved:1")
        await come(notifier, result)
        found = {Attempt(outcome): count for (_, outcome), count in counted(notifier.attempts).items()}
        wanted = attempts + ([Attempt.SENT] if result is NotificationResult.DELIVERED else [])
        assert found == {attempt: wanted.count(attempt) for attempt in wanted}
        assert receiver.events() == ["moved:1"] * len(wanted)
        assert all(path == "/hooks/T1" for path in receiver.paths)


@pytest.mark.parametrize(
    ("said", "pause_s"), [("7", 7.0), ("0", 0.0), ("86400", 300.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("-5", 0.0)]
)
async def test_how_long_a_target_asks_us_to_wait_is_heeded_within_reason(said: str, pause_s: float) -> None:
    """A day, from a target that is wrong or hostile, would be for ever."""
    async with receiving(says(429, Retry_After=said)) as receiver, session() as client:
        answer = await send(client, target(receiver.url).request(notification(), 0), within_s=5)
        assert (answer.attempt, answer.status, answer.pause_s) == (Attempt.BUSY, 429, pause_s)


async def test_a_target_that_hangs_is_tried_for_so_long_and_no_longer() -> None:
    """Bounded in time, whatever it does; the next notification gets its own chance."""
    async with receiving(hang) as receiver, notifying([target(receiver.url)], QUICK) as notifier:
        with capture_logs() as lines:
            tell(notifier, "moved:1")
            await come(notifier, NotificationResult.GIVEN_UP)
        assert set(counted(notifier.attempts)) == {("webhook", "timed_out")}
        (said,) = [line for line in lines if line["event"] == "notification.given_up"]
        assert (said["target"], said["why"], said["event_id"]) == ("ops", "timed_out", "moved:1")
        assert "in-the-url" not in str(lines)


async def test_a_certificate_that_is_not_to_be_trusted_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    """The body has the names of people in it."""
    tls = Certificates(tmp_path).serving("127.0.0.1", is_signed=False)
    pace = msgspec.structs.replace(QUICK, attempt_within_s=5)
    async with receiving(tls=tls) as receiver, notifying([target(receiver.url)], pace) as notifier:
        tell(notifier, "moved:1")
        await come(notifier, NotificationResult.GIVEN_UP)
        assert set(counted(notifier.attempts)) == {("webhook", "tls")}
        assert receiver.bodies == []


async def test_ten_thousand_moves_with_a_dead_target_cost_nothing_and_the_other_target_is_told() -> None:
    """The line of a dead target is short, and the oldest goes: who hears it takes no time, and neither does a neighbour."""
    dead = target(f"http://127.0.0.1:{free_port()}/", name="dead")
    pace = msgspec.structs.replace(PATIENT, waiting_max=50)
    journal = MemoryJournal()
    async with receiving() as receiver:
        targets = [dead, target(receiver.url, TargetKind.SLACK, "alive")]
        async with notifying(targets, pace, journal=journal) as notifier:
            notifier._selector = Selector(on(2).state, stuck_after_ms=1000 * HOUR, suspended_after_ms=HOUR)
            for number in range(1, 10_001):
                fact = Held(actor="ann", reason="whatever the record is")
                notifier.folded(Record(seq=number, at_ms=number, observation=fact), [MOVED])
                assert notifier.waiting() <= 2 * 50
            await come(notifier, NotificationResult.DELIVERED, 50, "slack")
            assert notifier.results["webhook", "dropped"] >= 10_000 - 51
            assert notifier.results["slack", "dropped"] == 10_000 - 50
        claims = [
            record for record in await journal.read(0, 1_000) if isinstance(record.observation, NotificationClaimed)
        ]
        assert len(claims) <= 52  # of the dead one only those that were tried


MOVED = FlagMoved(
    from_rung=0,
    to_rung=1,
    from_mode=Mode.TIMER_POLLING,
    to_mode=Mode.PUSH_WITH_SAFETY_NET,
    share_ppm=100_000,
    cause="proven",
    detail="every gate passes",
    version=1,
)


async def test_the_end_of_a_process_in_the_middle_repeats_nothing_that_was_begun_and_loses_nothing_that_was_not() -> (
    None
):
    """What was claimed may have arrived; what still waited is told by the next process, which hears of it again."""
    journal = MemoryJournal()
    async with receiving(hang, well) as receiver:
        async with notifying([target(receiver.url)], journal=journal) as notifier:
            tell(notifier, "moved:1", "moved:2")

            async def is_begun() -> bool:
                return bool(receiver.bodies)

            await until(is_begun, "the first attempt")
        async with notifying([target(receiver.url)], journal=journal, replica="b") as again:
            tell(again, "moved:1", "moved:2")
            await come(again, NotificationResult.DELIVERED)
            assert again.results["webhook", "claimed"] == 1
    assert receiver.events() == ["moved:1", "moved:2"]


async def test_two_replicas_on_one_journal_tell_each_target_of_each_event_once() -> None:
    """Both see every move, and a channel in which all is said twice is soon muted."""
    journal = MemoryJournal()
    async with receiving() as receiver, receiving() as other:
        targets = [target(receiver.url, name="one"), target(other.url, name="two")]
        async with notifying(targets, journal=journal) as a, notifying(targets, journal=journal, replica="b") as b:
            events = [f"moved:{number}" for number in range(40)]
            for event in events:
                tell(a, event)
                tell(b, event)
                await asyncio.sleep(0)

            async def is_done() -> bool:
                return counted(a.results, b.results).total() == 4 * len(events)

            await until(is_done, "everything is told or claimed")
            both = counted(a.results, b.results)
            assert (both["webhook", "delivered"], both["webhook", "claimed"]) == (80, 80)
    for each in (receiver, other):
        assert sorted(each.events()) == sorted(events)


async def test_a_journal_that_takes_no_claim_is_asked_again_and_nothing_is_told_without_one() -> None:
    """While it does not answer, another replica may be telling it."""
    journal = Refusing(3)
    async with (
        receiving() as receiver,
        notifying([target(receiver.url)], journal=journal) as notifier,
    ):
        tell(notifier, "moved:1")
        await come(notifier, NotificationResult.DELIVERED)
        assert (notifier.failures[Task.NOTIFICATIONS], notifier.failures.total()) == (3, 3)
        assert receiver.events() == ["moved:1"]
    never = Refusing(10_000)
    async with receiving() as receiver, notifying([target(receiver.url)], QUICK, journal=never) as notifier:
        tell(notifier, "moved:1")
        await come(notifier, NotificationResult.DROPPED)
        assert receiver.bodies == []


class Refusing(MemoryJournal):
    """A journal that takes nothing for a while."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    async def append(self, observation: Observation) -> Appended:
        """Refuse, or keep."""
        if self._times:
            self._times -= 1
            raise SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, "the disk is full")
        return await super().append(observation)


async def test_a_mistake_of_ours_in_the_words_stops_neither_the_fold_nor_the_next_notification() -> None:
    """Who tells must not stop what it tells of; it is counted, and logged with its traceback."""
    async with receiving() as receiver, notifying([target(receiver.url)]) as notifier:
        notifier._queue(notifier._lines[0], notification("moved:0", text="half a character: \ud83d"))
        tell(notifier, "moved:1")
        await come(notifier, NotificationResult.DELIVERED)
        assert notifier.results["webhook", "given_up"] == 1
        assert (notifier.failures[Task.NOTIFICATIONS], notifier.failures.total()) == (1, 1)

        class Broken(Selector):
            def select(self, *_: object) -> object:  # type: ignore[override]
                raise KeyError("bug")

        notifier._selector = Broken(State(), stuck_after_ms=1, suspended_after_ms=1)
        with capture_logs() as lines:
            notifier.folded(
                Record(seq=1, at_ms=1, observation=NotificationClaimed(replica="a", event="e", target="t")), []
            )
        assert [line["event"] for line in lines] == ["notifications.broken"]
        assert (notifier.failures[Task.NOTIFICATIONS], notifier.failures.total()) == (2, 2)


async def test_a_whole_life_is_told_to_a_webhook_and_drawn_into_grafana_by_two_replicas_once() -> None:
    """From the journal, through the fold, to Grafana's own demands: a fall and a return, and each of them once."""
    world = on(2)
    world.outage()
    world.good(60)
    journal = await journal_of(world)
    async with receiving() as receiver, receiving(annotate) as grafana:
        base = grafana.url.partition("/hooks")[0]
        targets = [target(receiver.url), target(base, TargetKind.GRAFANA, "plots")]
        async with living(journal, targets, "a") as a, living(journal, targets, "b") as b:

            async def is_done() -> bool:
                both = counted(a.results, b.results)
                return (
                    both["webhook", "claimed"] == both["webhook", "delivered"] == 5 and both["grafana", "claimed"] == 3
                )

            await until(is_done, "both have told or found it claimed")
        kinds = [body["kind"] for body in receiver.bodies]
        assert sorted(kinds) == ["alarm_ended", "alarm_raised", "climbed", "climbed", "fell"]
        assert sorted(body["tags"][1] for body in grafana.bodies) == ["climbed", "climbed", "fell"]
        assert counted(a.attempts, b.attempts)["grafana", "sent"] == 3
        (fell,) = [body for body in receiver.bodies if body["kind"] == "fell"]
        assert len(fell["chain"]) == 64
        assert fell["facts"]["cause"] == "alarm"


@asynccontextmanager
async def living(journal: MemoryJournal, targets: Sequence[Target], replica: str) -> AsyncIterator[Notifier]:
    """Run a notifier that hears a journal from its beginning, as a follower does."""
    state = State()
    watch = Selector(state, stuck_after_ms=1000 * HOUR, suspended_after_ms=HOUR)
    notifier = Notifier(journal, watch, targets, replica=replica, pace=PATIENT)
    follower = Follower(journal, state, [notifier.folded])
    tasks = [asyncio.create_task(notifier.run()), asyncio.create_task(follower.run())]
    try:
        yield notifier
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def journal_of(world: World) -> MemoryJournal:
    """Return a journal that holds what a world saw, at the times when it saw it."""
    now_ms = world.records[0].at_ms
    journal = MemoryJournal(lambda: now_ms)
    for record in world.records:
        now_ms = record.at_ms
        await journal.append(record.observation)
    return journal
