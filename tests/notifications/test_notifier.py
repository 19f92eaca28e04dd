"""Delivery once for each event and target, with failing targets, processes and journals, and without delays."""

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
from sidecar.core.facts.observations import NotificationClaimed, Observation, Record
from sidecar.core.facts.operator_actions import Held
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.conclusions import FlagMoved
from sidecar.core.fold.state import State
from sidecar.journal.follower import Follower
from sidecar.journal.memory import MemoryJournal
from sidecar.notifications import Attempt, NotificationResult, Notifier, Pace, Selector, Target
from sidecar.notifications.delivery import send, session
from sidecar.parts.metrics import Counts, Key
from sidecar.parts.part import Task
from sidecar.ports import Appended, ErrorCode, SidecarError
from tests.core.world import HOUR, World, on
from tests.e2e.processes import free_port, until
from tests.notifications.receiving import Behaviour, annotate, cut, drip, hang, receiving, says, well
from tests.notifications.sample import notification, target
from tests.probes.certificates import Certificates

QUICK = Pace(attempt_within_s=0.2, first_pause_s=0.01, pause_max_s=0.02, give_up_after_s=0.5, waiting_max=100)
PATIENT = msgspec.structs.replace(QUICK, attempt_within_s=5, give_up_after_s=30)


@pytest.fixture(autouse=True)
def _plain_log() -> None:
    structlog.reset_defaults()


class Bare(Selector):
    """A selector for a journal without events."""

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
    """Run a notifier."""
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
    """Wait for a number of notifications with this result."""

    async def is_there() -> bool:
        return notifier.results[kind, result.value] >= count

    await until(is_there, f"{count} notifications are {result}: {notifier.results}")


def queue(notifier: Notifier, *events: str) -> None:
    """Queue notifications of these events."""
    for event in events:
        for line in notifier._lines:
            notifier._queue(line, notification(event))


# fmt: off
BEHAVIOURS: list[tuple[list[Behaviour], list[Attempt], NotificationResult]] = [
    # behaviour of the target                      failed attempts                 result
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


@pytest.mark.parametrize(("behaviours", "attempts", "result"), BEHAVIOURS)
async def test_temporary_failures_are_retried_and_permanent_ones_are_given_up(
    behaviours: list[Behaviour], attempts: list[Attempt], result: NotificationResult
) -> None:
    """Redirects are not followed, because a target could redirect to internal addresses."""
    async with receiving(*behaviours) as receiver, notifying([target(receiver.url)]) as notifier:
        queue(notifier, "moved:1")
        await come(notifier, result)
        found = {Attempt(outcome): count for (_, outcome), count in counted(notifier.attempts).items()}
        wanted = attempts + ([Attempt.SENT] if result is NotificationResult.DELIVERED else [])
        assert found == {attempt: wanted.count(attempt) for attempt in wanted}
        assert receiver.events() == ["moved:1"] * len(wanted)
        assert all(path == "/hooks/T1" for path in receiver.paths)


@pytest.mark.parametrize(
    ("said", "pause_s"), [("7", 7.0), ("0", 0.0), ("86400", 300.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("-5", 0.0)]
)
async def test_retry_after_is_respected_up_to_a_limit(said: str, pause_s: float) -> None:
    """A faulty or hostile target could otherwise request a pause of a day."""
    async with receiving(says(429, Retry_After=said)) as receiver, session() as client:
        answer = await send(client, target(receiver.url).request(notification(), 0), within_s=5)
        assert (answer.attempt, answer.status, answer.pause_s) == (Attempt.BUSY, 429, pause_s)


async def test_delivery_to_a_hanging_target_is_given_up_after_a_limit() -> None:
    """Delivery is bounded in time, and the log contains no URL."""
    async with receiving(hang) as receiver, notifying([target(receiver.url)], QUICK) as notifier:
        with capture_logs() as lines:
            queue(notifier, "moved:1")
            await come(notifier, NotificationResult.GIVEN_UP)
        assert set(counted(notifier.attempts)) == {("webhook", "timed_out")}
        (said,) = [line for line in lines if line["event"] == "notification.given_up"]
        assert (said["target"], said["why"], said["event_id"]) == ("ops", "timed_out", "moved:1")
        assert "in-the-url" not in str(lines)


async def test_nothing_is_sent_to_a_target_with_an_untrusted_certificate(tmp_path: Path) -> None:
    """Bodies contain names of people, so the outcome is `tls` and no body is sent."""
    tls = Certificates(tmp_path).serving("127.0.0.1", is_signed=False)
    pace = msgspec.structs.replace(QUICK, attempt_within_s=5)
    async with receiving(tls=tls) as receiver, notifying([target(receiver.url)], pace) as notifier:
        queue(notifier, "moved:1")
        await come(notifier, NotificationResult.GIVEN_UP)
        assert set(counted(notifier.attempts)) == {("webhook", "tls")}
        assert receiver.bodies == []


async def test_a_dead_target_delays_neither_the_fold_nor_the_other_target() -> None:
    """The queue of a dead target is bounded, and its oldest notification is dropped."""
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
        assert len(claims) <= 52  # for the dead target only those that were attempted


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


async def test_after_a_restart_claimed_events_are_not_repeated_and_waiting_ones_are_sent() -> None:
    """A claimed event may have arrived; the next process sends the events that still waited."""
    journal = MemoryJournal()
    async with receiving(hang, well) as receiver:
        async with notifying([target(receiver.url)], journal=journal) as notifier:
            queue(notifier, "moved:1", "moved:2")

            async def is_begun() -> bool:
                return bool(receiver.bodies)

            await until(is_begun, "the first attempt")
        async with notifying([target(receiver.url)], journal=journal, replica="b") as again:
            queue(again, "moved:1", "moved:2")
            await come(again, NotificationResult.DELIVERED)
            assert again.results["webhook", "claimed"] == 1
    assert receiver.events() == ["moved:1", "moved:2"]


async def test_two_replicas_on_one_journal_send_each_event_to_each_target_once() -> None:
    """Both replicas fold every event, and only one of them sends it."""
    journal = MemoryJournal()
    async with receiving() as receiver, receiving() as other:
        targets = [target(receiver.url, name="one"), target(other.url, name="two")]
        async with notifying(targets, journal=journal) as a, notifying(targets, journal=journal, replica="b") as b:
            events = [f"moved:{number}" for number in range(40)]
            for event in events:
                queue(a, event)
                queue(b, event)
                await asyncio.sleep(0)

            async def is_done() -> bool:
                return counted(a.results, b.results).total() == 4 * len(events)

            await until(is_done, "everything is sent or claimed")
            both = counted(a.results, b.results)
            assert (both["webhook", "delivered"], both["webhook", "claimed"]) == (80, 80)
    for each in (receiver, other):
        assert sorted(each.events()) == sorted(events)


async def test_a_failed_claim_is_retried_and_nothing_is_sent_without_a_claim() -> None:
    """Without a claim another replica may be sending the event."""
    journal = Refusing(3)
    async with (
        receiving() as receiver,
        notifying([target(receiver.url)], journal=journal) as notifier,
    ):
        queue(notifier, "moved:1")
        await come(notifier, NotificationResult.DELIVERED)
        assert (notifier.failures[Task.NOTIFICATIONS], notifier.failures.total()) == (3, 3)
        assert receiver.events() == ["moved:1"]
    never = Refusing(10_000)
    async with receiving() as receiver, notifying([target(receiver.url)], QUICK, journal=never) as notifier:
        queue(notifier, "moved:1")
        await come(notifier, NotificationResult.DROPPED)
        assert receiver.bodies == []


class Refusing(MemoryJournal):
    """A journal that refuses the first appends."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    async def append(self, observation: Observation) -> Appended:
        """Refuse, or append."""
        if self._times:
            self._times -= 1
            raise SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, "the disk is full")
        return await super().append(observation)


async def test_a_defect_in_a_text_stops_neither_the_fold_nor_the_next_notification() -> None:
    """The defect is counted, and logged with its traceback."""
    async with receiving() as receiver, notifying([target(receiver.url)]) as notifier:
        notifier._queue(notifier._lines[0], notification("moved:0", text="half a character: \ud83d"))
        queue(notifier, "moved:1")
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


async def test_two_replicas_send_all_events_of_a_journal_once_to_a_webhook_and_to_grafana() -> None:
    """Climbs, an alarm and a fall go from the journal through the fold to both targets, each once."""
    world = on(2)
    world.outage()
    world.good(60)
    journal = await journal_of(world)
    async with receiving() as receiver, receiving(annotate) as grafana:
        base = grafana.url.partition("/hooks")[0]
        targets = [target(receiver.url), target(base, TargetKind.GRAFANA, "plots")]
        async with following(journal, targets, "a") as a, following(journal, targets, "b") as b:

            async def is_done() -> bool:
                both = counted(a.results, b.results)
                return (
                    both["webhook", "claimed"] == both["webhook", "delivered"] == 5 and both["grafana", "claimed"] == 3
                )

            await until(is_done, "both replicas have sent or claimed everything")
        kinds = [body["kind"] for body in receiver.bodies]
        assert sorted(kinds) == ["alarm_ended", "alarm_raised", "climbed", "climbed", "fell"]
        assert sorted(body["tags"][1] for body in grafana.bodies) == ["climbed", "climbed", "fell"]
        assert counted(a.attempts, b.attempts)["grafana", "sent"] == 3
        (fell,) = [body for body in receiver.bodies if body["kind"] == "fell"]
        assert len(fell["chain"]) == 64
        assert fell["facts"]["cause"] == "alarm"


@asynccontextmanager
async def following(journal: MemoryJournal, targets: Sequence[Target], replica: str) -> AsyncIterator[Notifier]:
    """Run a notifier that follows a journal from its beginning."""
    state = State()
    selector = Selector(state, stuck_after_ms=1000 * HOUR, suspended_after_ms=HOUR)
    notifier = Notifier(journal, selector, targets, replica=replica, pace=PATIENT)
    follower = Follower(journal, state, [notifier.folded])
    tasks = [asyncio.create_task(notifier.run()), asyncio.create_task(follower.run())]
    try:
        yield notifier
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def journal_of(world: World) -> MemoryJournal:
    """Return a journal with the records of a world, at their times."""
    now_ms = world.records[0].at_ms
    journal = MemoryJournal(lambda: now_ms)
    for record in world.records:
        now_ms = record.at_ms
        await journal.append(record.observation)
    return journal
