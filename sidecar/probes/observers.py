"""The sidecar's own sockets on Reverb: a broadcast that all receive is delivered; one that some miss shows a deaf node.

The backend broadcasts each event on the user's channel and on the observer channel in one call, so that both
succeed or fail together. Several sockets go through the public load balancer and are replaced in turn, so that they
reach every node; the new socket is open before the old one is closed. The sidecar signs their subscriptions itself:
they do not show whether payers can subscribe.

A socket that Reverb closes is not a visibility gap: browsers lose theirs at the same moment. Changes are journalled.
"""

import asyncio
import enum
import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NoReturn

import aiohttp
import msgspec
import structlog

from sidecar import clock, randomness
from sidecar.config import OBSERVERS_MAX
from sidecar.core.facts.auth_probes import AuthProbeOutcome
from sidecar.core.facts.observations import AcksLost, ObserverChanged
from sidecar.logs import Throttle
from sidecar.parts.metrics import Counter, gauge
from sidecar.parts.part import TASK_FAILURES, Part, Task, TaskFunction
from sidecar.ports import Journal, SidecarError
from sidecar.probes.browser import Browser
from sidecar.probes.deliveries import Deliveries
from sidecar.probes.other_events import OtherEvents
from sidecar.probes.probe_record import Ended
from sidecar.probes.reverb_socket import ReverbSocket, subscribed_socket
from sidecar.pusher.messages import Arrived

REDIAL_EVERY_S = 300.0
"""Interval at which each socket is replaced; with three sockets, one every 100 s."""
_SUBSCRIBED_WITHIN_S = 10.0
_BACK_OFF_MIN_S, _BACK_OFF_MAX_S = 0.5, 15.0
_QUEUE_MAX = 10_000
_OVERLAP_S = 1.0
_RETRY_S = 0.5
_LOOK_S = 0.02
_CLIENT_EVENTS = "client-"
"""Prefix of client events, which other members of a channel may send; the backend sends none."""


class _Socket(msgspec.Struct, frozen=True, kw_only=True):
    """One subscribed connection of an observer; while it is replaced there are two."""

    number: int
    observer: int
    link: ReverbSocket
    listening: "asyncio.Task[Ended]"


class Canary:
    """One canary in flight."""

    def __init__(self, expected: frozenset[int], observers: "Observers") -> None:
        self.everywhere = asyncio.Event()
        """Set when every socket that was subscribed, and still is, has received it."""
        self._expected, self._observers = expected, observers
        self._received_by: set[int] = set()

    def arrived(self, number: int) -> None:
        """Record that a socket received it."""
        self._received_by.add(number)
        self.check()

    def check(self) -> None:
        """Set `everywhere` if every socket that can still receive it has."""
        if self._received_by and not self.awaited():
            self.everywhere.set()

    def received(self) -> int:
        """Return the number of expected sockets that received it."""
        return len(self._received_by & self._expected)

    def awaited(self) -> int:
        """Return the number of expected sockets that have not received it and are still subscribed."""
        return len((self._expected - self._received_by) & self._observers.subscribed())


class ObserveResult(enum.StrEnum):
    """The result of a broadcast that arrived on the sidecar's sockets."""

    DELIVERED = "delivered"
    DEAF = "deaf"
    """It arrived on some sockets, and never on the others."""
    OTHER_EVENT = "other_event"
    """Its name is not that of `acks.event`: it is no ack."""
    DROPPED = "dropped"
    """Too many were waiting for the journal."""


class Observers(Part):
    """Maintains the sockets, and journals what arrives on them."""

    broadcasts = Counter(
        "observed_broadcasts", "Broadcasts that arrived on the sidecar's sockets by result.", {"result": ObserveResult}
    )
    failures = TASK_FAILURES

    name = "observers"

    def __init__(
        self,
        browser: Browser,
        journal: Journal,
        *,
        replica: str,
        size: int,
        deliveries: Deliveries | None,
        redial_every_s: float = REDIAL_EVERY_S,
    ) -> None:
        self._browser, self._target, self._journal = browser, browser.target, journal
        self._replica, self._size, self._redial_every_s = replica, size, redial_every_s
        self._deliveries = deliveries
        """None: the sockets are only for canaries."""
        self._sockets: dict[int, _Socket] = {}
        self._numbers = itertools.count()
        self._canaries: dict[str, Canary] = {}
        self._facts: asyncio.Queue[msgspec.Struct] = asyncio.Queue(_QUEUE_MAX)
        self._is_lost = False
        self._is_up: dict[int, bool] = {}
        self._throttle = Throttle()

    # --- for probes

    def subscribed(self) -> frozenset[int]:
        """Return the numbers of the sockets that are subscribed; each connection has a number of its own."""
        return frozenset(self._sockets)

    @contextmanager
    def expect(self, canary_id: str, expected: frozenset[int]) -> Iterator[Canary]:
        """Track a canary in flight."""
        canary = self._canaries[canary_id] = Canary(expected, self)
        try:
            yield canary
        finally:
            del self._canaries[canary_id]

    async def caught_up_since(self, asked_s: float) -> None:  # noqa: ARG002 - all that was read is in the queue
        """Return once everything that has arrived is in the journal."""
        await self._facts.join()

    # --- the actor

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the task that maintains the sockets."""
        yield "observers", self.run

    async def run(self) -> NoReturn:
        """Maintain the sockets, without end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write(), name="observers.write")
            group.create_task(self._expire(), name="observers.expire")
            for observer in range(self._size):
                group.create_task(self._maintain(observer), name=f"observer.{observer}")
        raise AssertionError  # none ends

    async def _maintain(self, observer: int) -> NoReturn:
        """Maintain one socket: open, listen, replace in turn, and back off after a failure."""
        back_off_s = 0.0
        turn_s = self._redial_every_s * (1 + observer / self._size)
        while True:
            await asyncio.sleep(back_off_s * randomness.uniform(0.5, 1))
            opened = await self._open(observer)
            if isinstance(opened, Ended):
                self._mark_down(observer, opened)
                back_off_s = min(_BACK_OFF_MAX_S, max(_BACK_OFF_MIN_S, back_off_s * 2))
                continue
            back_off_s = _BACK_OFF_MIN_S
            self._mark_down(observer, await self._listen(observer, opened, turn_s))
            turn_s = self._redial_every_s

    async def _listen(self, observer: int, socket: "_Socket", turn_s: float) -> Ended:
        """Listen until the socket closes, and replace it at its turn."""
        self._change(observer, Ended(AuthProbeOutcome.OK))
        open_sockets = [socket]
        try:
            while True:
                await asyncio.wait({open_sockets[-1].listening}, timeout=turn_s)
                if open_sockets[-1].listening.done():
                    return open_sockets[-1].listening.result()
                turn_s = self._redial_every_s
                replacement = await self._open(observer)
                if isinstance(replacement, Ended):
                    self._log_failure("observer.not_redialled", observer, replacement)
                    continue
                open_sockets.append(replacement)
                await asyncio.sleep(_OVERLAP_S)  # broadcasts to the old one still arrive on it
                await self._drop(open_sockets.pop(0))
        finally:
            for each in open_sockets:
                await self._drop(each)

    async def _drop(self, socket: "_Socket") -> None:
        self._sockets.pop(socket.number, None)
        socket.listening.cancel()
        await asyncio.wait({socket.listening})  # does not raise its cancellation in this task

    async def _open(self, observer: int) -> "_Socket | Ended":
        """Return a socket that is subscribed to every channel and being read, or the reason for none."""
        number = next(self._numbers)
        channels = [self._target.channel]
        if self._deliveries is not None:
            channels += [self._target.observer_channel, *self._deliveries.user_channels()]

        def arrived(message: Arrived) -> None:
            self._arrived(number, message)

        try:
            link = await subscribed_socket(self._browser, channels, arrived, within_s=_SUBSCRIBED_WITHIN_S)
        except Ended as ended:
            return ended
        listening = asyncio.create_task(link.listen(arrived), name=f"observer.{observer}.listen")
        socket = self._sockets[number] = _Socket(number=number, observer=observer, link=link, listening=listening)
        listening.add_done_callback(lambda _: self._sockets.pop(number, None))
        return socket

    def _change(self, observer: int, ended: Ended) -> None:
        """Journal that a socket is up, if the outcome is `ok`, or down, unless that is its state already."""
        is_up = ended.outcome is AuthProbeOutcome.OK
        if self._is_up.get(observer) is not is_up:
            self._is_up[observer] = is_up
            fact = ObserverChanged(
                replica=self._replica, observer=observer, is_up=is_up, outcome=ended.outcome, number=ended.number
            )
            self._put(fact)

    def _mark_down(self, observer: int, ended: Ended) -> None:
        for canary in self._canaries.values():
            canary.check()
        self._change(observer, ended)
        self._log_failure("observer.down", observer, ended)

    def _log_failure(self, event: str, observer: int, ended: Ended) -> None:
        self._throttle.warn(
            f"{event} {ended.outcome}", event, observer=observer, outcome=ended.outcome.value, number=ended.number
        )

    # --- what arrives

    def _arrived(self, number: int, message: Arrived) -> None:
        if message.event.startswith((_CLIENT_EVENTS, "pusher")):
            return
        if message.channel == self._target.channel and message.event == CANARY_EVENT:
            canary = self._canaries.get(_canary_id(message.data))
            if canary is not None:
                canary.arrived(number)
        elif self._deliveries is None:
            return
        elif self._deliveries.other_events.is_counted(message.event):
            fact = self._deliveries.arrived(number, message, self.subscribed())
            if fact is not None:
                self.broadcasts.inc(ObserveResult.DELIVERED)
                self._put(fact)
        elif number == min(self._sockets, default=number):  # each socket receives it
            self._note_other(self._deliveries.other_events, message.event)

    def _note_other(self, others: OtherEvents, event: str) -> None:
        self.broadcasts.inc(ObserveResult.OTHER_EVENT)
        name = others.add(event)
        if name is not None:
            structlog.get_logger().warning(
                "observer.other_event",
                name=name,
                hint="this broadcast is not the one that `acks.event` names, so it is no ack; if it is the broadcast "
                "after a payment, set `acks.event` to this name",
            )

    async def _expire(self) -> NoReturn:
        """Count expired broadcasts that did not arrive everywhere, which show a deaf node."""
        while True:
            await asyncio.sleep(1.0)
            if self._deliveries is None:
                continue
            for fact in self._deliveries.expire(self.subscribed()):
                self._put(fact)
            for _ in range(self._deliveries.take_deaf_count()):
                self.broadcasts.inc(ObserveResult.DEAF)
                self._throttle.warn(
                    "deaf",
                    "observer.deaf",
                    hint="a broadcast reached only some of the sockets: a Reverb node does not receive from the others "
                    "(REVERB_SCALING_ENABLED, Redis), so the users on it get no push",
                )

    def _put(self, fact: msgspec.Struct) -> None:
        try:
            self._facts.put_nowait(fact)
        except asyncio.QueueFull:
            self._is_lost = True
            self.broadcasts.inc(ObserveResult.DROPPED)

    async def _write(self) -> NoReturn:
        """Journal the queued observations in order, and retry until they are durable."""
        while True:
            facts = [await self._facts.get()]
            while not self._facts.empty() and len(facts) < 100:  # noqa: PLR2004 - one group commit
                facts.append(self._facts.get_nowait())
            if self._is_lost:
                facts.append(AcksLost(source=self.name, count=None))
                self._is_lost = False
            for fact in facts:
                await self._append(fact)
            for _ in range(len(facts) - any(isinstance(fact, AcksLost) for fact in facts)):
                self._facts.task_done()

    async def _append(self, fact: msgspec.Struct) -> None:
        while True:
            try:
                await self._journal.append(fact)  # type: ignore[arg-type]
            except SidecarError as error:
                self.failures.inc(Task.OBSERVERS)
                if self._throttle.passes("not kept") is not None:
                    structlog.get_logger().warning("observer.not_kept", code=error.code.value, message=error.message)
                await asyncio.sleep(_RETRY_S)
            else:
                return

    def other_events(self) -> tuple[str, ...]:
        """Return the names of broadcasts that are not `acks.event`."""
        return () if self._deliveries is None else self._deliveries.other_events.names()

    def warning(self) -> str:
        """Return what to configure where only other broadcasts arrive; empty: all is well."""
        return "" if self._deliveries is None else self._deliveries.other_events.warning()

    @gauge("observer_up", "1 while this socket is subscribed.", {"observer": map(str, range(OBSERVERS_MAX))})
    def up(self) -> Mapping[str, float]:
        """Return which sockets are subscribed, by number."""
        subscribed = {socket.observer for socket in self._sockets.values()}
        return {str(observer): float(observer in subscribed) for observer in range(self._size)}

    async def watch(self, channel: str, *, within_s: float) -> bool:
        """Subscribe to a user's channel on every socket, and return whether all succeeded in time."""
        for socket in list(self._sockets.values()):
            with suppress(aiohttp.ClientError, ConnectionError):
                await socket.link.join(channel)
        until_s = clock.monotonic_s() + within_s
        while clock.monotonic_s() < until_s:
            if self._sockets and all(socket.link.has(channel) for socket in self._sockets.values()):
                return True
            await asyncio.sleep(_LOOK_S)
        return False

    async def leave(self, channel: str) -> None:
        """Unsubscribe from a user's channel on every socket."""
        for socket in list(self._sockets.values()):
            with suppress(aiohttp.ClientError, ConnectionError):
                await socket.link.leave(channel)


CANARY_EVENT = "reverb-sidecar.canary"


class _Canary(msgspec.Struct, frozen=True):
    id: str


def _canary_id(data: str) -> str:
    try:
        return msgspec.json.decode(data, type=_Canary).id
    except (msgspec.DecodeError, UnicodeError):
        return ""
