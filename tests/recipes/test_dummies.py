"""A dummy of each kind of part works end to end once it stands in its table."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self, cast

import msgspec
from aiohttp import web

from sidecar.composition import PARTS, PartRow, kinds_of
from sidecar.config import JournalPlace, Notifications, NotificationSecrets, NotificationTarget, TargetKind
from sidecar.config.journals import JOURNAL_PLACES, JournalText
from sidecar.config.scalars import Guess, Scalar
from sidecar.core.decision.gates import GATES, Gate, GateRow, first_closed, gates
from sidecar.core.facts.observations import AckReceived, Heartbeat, Record
from sidecar.core.facts.policy import Policy, Rung, Stage
from sidecar.core.fold.conclusions import Conclusion
from sidecar.core.fold.state import State
from sidecar.journal import BACKENDS
from sidecar.journal.memory import MemoryJournal
from sidecar.metrics import catalogue, page
from sidecar.notifications import Notification, NotificationKind, Target, targets_of
from sidecar.notifications.delivery import Attempt, send, session
from sidecar.notifications.targets import SPECS, Outgoing
from sidecar.parts.metrics import Counter, gauge
from sidecar.parts.part import Part, TaskFunction
from sidecar.parts.routes import PUBLIC, post
from sidecar.ports import Journal
from tests.core.world import LAX, World
from tests.e2e.processes import until
from tests.notifications.receiving import receiving
from tests.notifications.sample import notification
from tests.shells.running import CONFIG, Running, event, running


class DummySource(Part):
    """An ack source with a route, a task, metrics and liveness."""

    name = "dummy"
    received = Counter("dummy_acks", "Acks of the dummy source by result.", {"result": ("accepted", "empty")})

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.asked: list[float] = []
        self.is_live = True
        self.turns = 0

    @post("/dummy/{payment_intent}", on=PUBLIC)
    async def receive(self, request: web.Request) -> web.Response:
        """Append an ack."""
        fact = AckReceived(source=self.name, payment_intent=request.match_info["payment_intent"], stage=Stage.DELIVERED)
        await self._journal.append(fact)
        self.received.inc("accepted")
        return web.Response(status=204)

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the task."""
        yield "dummy", self.run

    async def run(self) -> None:
        """Count turns."""
        while True:
            self.turns += 1
            await asyncio.sleep(0.01)

    @gauge("dummy_turns", "Turns of the task of the dummy source.")
    def _turns(self) -> float:
        return self.turns

    async def caught_up_since(self, asked_s: float) -> None:
        """Confirm at once, or never."""
        self.asked.append(asked_s)
        if not self.is_live:
            await asyncio.Event().wait()


class DummyListener(Part):
    """A part that processes every record."""

    heartbeats = Counter("dummy_heartbeats", "Heartbeats that were folded.")

    def __init__(self) -> None:
        self.silent: tuple[str, ...] = ()

    def folded(self, record: Record, conclusions: list[Conclusion]) -> None:  # noqa: ARG002 - as of a part
        """Count heartbeats, and store their silent sources."""
        if isinstance(record.observation, Heartbeat):
            self.heartbeats.inc()
            self.silent = record.observation.silent_sources


@asynccontextmanager
async def with_dummies() -> AsyncIterator[tuple[Running, DummySource, DummyListener]]:
    """Run a sidecar with both dummies in the table of parts."""
    built: list[Part] = []

    def build(part: Part) -> Part:
        built.append(part)
        return part

    rows = (
        *PARTS,
        PartRow(DummySource, lambda it: build(DummySource(it.journal))),
        PartRow(DummyListener, lambda _: build(DummyListener())),
    )
    async with running(parts=rows) as sidecar:
        source, listener = built
        yield sidecar, cast("DummySource", source), cast("DummyListener", listener)


async def test_the_route_and_the_task_of_an_ack_source_work_and_its_acks_count() -> None:
    """The ack decides the outcome of its payment, and the source's metrics are exposed."""
    async with with_dummies() as (sidecar, _, _):
        assert await sidecar.metric('reverb_sidecar_dummy_acks_total{result="accepted"}') == 0
        assert await sidecar.metric('reverb_sidecar_dummy_acks_total{result="empty"}') == 0
        await sidecar.deliver(event("pi_1"))
        async with sidecar.session.post(f"{sidecar.urls.public}/dummy/pi_1") as response:
            assert response.status == 204
        await sidecar.metric_is('reverb_sidecar_acks_total{stage="delivered"}', 1)
        assert await sidecar.metric('reverb_sidecar_dummy_acks_total{result="accepted"}') == 1
        assert await sidecar.metric("reverb_sidecar_dummy_turns") > 0


async def test_the_liveness_of_an_ack_source_is_checked_with_every_heartbeat() -> None:
    """A source that does not confirm is named in the heartbeat."""
    async with with_dummies() as (_, source, listener):

        async def is_silent() -> bool:
            return listener.silent == (DummySource.name,)

        async def is_live() -> bool:
            return bool(source.asked) and listener.heartbeats.total() > 0 and listener.silent == ()

        await until(is_live, "a heartbeat without silent sources")
        source.is_live = False
        await until(is_silent, "a heartbeat that names the source")


async def test_a_listener_processes_records_and_its_metric_is_exposed() -> None:
    """Heartbeats are folded by themselves."""
    async with with_dummies() as (sidecar, _, listener):

        async def is_counted() -> bool:
            return await sidecar.metric("reverb_sidecar_dummy_heartbeats_total") > 0

        await until(is_counted, "a heartbeat is counted")
        assert listener.heartbeats.total() > 0


def test_the_catalogue_has_the_metrics_and_the_paths_of_a_part_that_does_not_run() -> None:
    """`sidecar metrics` and docs/metrics.md need no process."""
    kinds = kinds_of((*PARTS, PartRow(DummySource, lambda _: None), PartRow(DummyListener, lambda _: None)))
    found = {each.name: each for each in catalogue(kinds).metrics}
    assert found["reverb_sidecar_dummy_acks_total"].labels == {"result": ("accepted", "empty")}
    assert found["reverb_sidecar_dummy_turns"].type == "gauge"
    assert "/dummy/{payment_intent}" in found["reverb_sidecar_refused_requests_total"].labels["route"]
    assert "| `reverb_sidecar_dummy_heartbeats_total` | counter | process |" in page(kinds)


class DummyPlace(JournalPlace, frozen=True, kw_only=True):
    """The place of a dummy journal."""

    scheme: ClassVar[str] = "dummy"
    allowed: ClassVar[str] = "dummy:NAME"
    name: str

    @classmethod
    def of(cls, rest: str) -> Self | None:
        """Return the place with this name."""
        return cls(name=rest) if rest else None

    def write(self) -> str:
        """Return the place as YAML."""
        return f"dummy:{self.name}"


class DummyJournal(MemoryJournal):
    """A backend."""

    opened: ClassVar[list[str]] = []


async def _open_dummy(place: DummyPlace) -> Journal:
    DummyJournal.opened.append(place.name)
    return DummyJournal()


async def test_a_journal_backend_is_read_from_the_configuration_and_used() -> None:
    """Its place stands in one table, and how it is opened in another."""
    text = JournalText(places=(*JOURNAL_PLACES, DummyPlace))
    place = text.read(Scalar(text="dummy:here", guess=Guess.STRING))
    assert place == DummyPlace(name="here")
    assert (text.write(place), text.allowed) == ("dummy:here", 'sqlite:PATH, "memory:" in quotes, or dummy:NAME')
    config = msgspec.structs.replace(CONFIG, journal=place)
    async with running(config, backends={**BACKENDS, DummyPlace: _open_dummy}) as sidecar:
        assert (await sidecar.deliver(event("pi_1")))[0] == 200
        await sidecar.metric_is("reverb_sidecar_kept_payments", 1)
    assert DummyJournal.opened == ["here"]


class DummySpec:
    """A kind of target that takes the title alone."""

    def takes(self, kind: NotificationKind) -> bool:
        """Return whether it is a fall."""
        return kind is NotificationKind.FELL

    def request(self, target: Target, notification: Notification, now_s: int) -> Outgoing:
        """Return the title as JSON."""
        body = msgspec.json.encode({"title": notification.words.title, "at_s": now_s})
        return Outgoing(url=target.secrets.url, headers={}, body=body)


async def test_a_kind_of_notification_target_is_sent_what_its_specification_says() -> None:
    """Its specification stands in one table; the queue, the claim and the retries are shared."""
    specs: Any = {**SPECS, TargetKind.SLACK: DummySpec()}
    configured = Notifications(targets=(NotificationTarget(name="ops", kind=TargetKind.SLACK),))
    async with receiving() as receiver, session() as client:
        (target,) = targets_of(configured, {"ops": NotificationSecrets(url=receiver.url)}, specs)
        assert (target.takes(NotificationKind.FELL), target.takes(NotificationKind.CLIMBED)) == (True, False)
        answer = await send(client, target.request(notification(), 7), within_s=5)
        assert answer.attempt is Attempt.SENT
        assert receiver.bodies == [{"title": "payment-refresh in test: push fell", "at_s": 7}]


def _even(state: State, _policy: Policy, _rung: Rung) -> Gate:
    passes = state.seq % 2 == 0
    return Gate(
        name="even", value=str(state.seq), target="an even record", passes=passes, needs="" if passes else "one"
    )


def test_a_gate_is_evaluated_with_the_others_and_closes_the_next_rung() -> None:
    """Its row stands in one table, with its words."""
    row = GateRow(name="even", read=_even, label="Even", closes="Closes with the next record.", remedy="Wait.")
    world = World(LAX)
    world.wire()
    world.climb_to(1)
    for _ in range(2):
        world.beat()
        readings = gates(world.state, (*GATES, row))
        assert [gate.name for gate in readings] == [*(gate.name for gate in gates(world.state)), "even"]
        assert readings[-1].passes is (world.state.seq % 2 == 0)
        closed = first_closed(world.state, (row,))
        assert (None if closed is None else closed.name) == (None if readings[-1].passes else "even")
