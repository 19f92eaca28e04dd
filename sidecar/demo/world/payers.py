"""Simulated payers' browsers: what `clients/browser` does after a payment, without a page.

The real client is on the payer's page. This one follows the same rules of the same flag, so that many can run at
once: schedule, lease, three seconds to be subscribed, one refetch for each occasion on which a push can be missed, and
one report after half a minute.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec

from sidecar.core.facts.policy import SCHEDULES, Mode
from sidecar.core.facts.reports import ClearedBy, Flow, Subscription
from sidecar.demo.world.subscriptions import ChannelEvents, Listening, Places

CONFIRM_WITHIN_S, STALE_AFTER_S, LAST_S = 3.0, 1.0, 30.0
_FLAG_WITHIN_S, _REFETCH_WITHIN_S = 5.0, 10.0
_RENEW_AT_LEAST_S = 1.0
_FETCH_MS = 30
"""Latency of a request between a browser and the app, each way."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of the flag."""

    mode: Mode
    refetch_after_ms: tuple[int, ...]
    safety_net_ms: int | None
    version: int
    valid_for_s: float


TIMERS = Answer(
    mode=Mode.TIMER_POLLING,
    refetch_after_ms=SCHEDULES[Mode.TIMER_POLLING].refetch_after_ms,
    safety_net_ms=None,
    version=0,
    valid_for_s=0,
)


class Browser(ChannelEvents):
    """One payer's page, from its opening to its report."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        places: Places,
        *,
        user_id: str,
        payment: str,
        flow: Flow,
        report_token: Callable[[], str],
        changed: Callable[["Browser", str], None],
    ) -> None:
        self.user_id, self.payment, self.flow = user_id, payment, flow
        self.mode = Mode.TIMER_POLLING
        self.version = 0
        self.began_s: float | None = None
        """When this page began to watch the payment; None: not yet."""
        self.subscribed_ms: int | None = None
        self.pushed_ms: int | None = None
        self.cleared_ms: int | None = None
        self.cleared_by: ClearedBy | None = None
        self.refetches = self.stale_refetches = 0
        self.was_answered = False
        """The page received an answer from the flag."""
        self._session, self._places = session, places
        self._report_token, self._changed = report_token, changed
        self._is_up = self._was_up = self._is_connected = self._fell = False
        self._refused: int | None = None
        self._answer, self._believed_s, self._asked_s = TIMERS, 0.0, 0.0
        self._schedule = TIMERS
        self._is_decided = False
        self._done_ms = -1.0
        self._left: ClearedBy | None = None
        self._next: ClearedBy | None = None
        self._retry_s: float | None = None
        self._is_pushed = self._is_sent = False
        self._refetching: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()

    # --- events of the channel

    def connected(self) -> None:
        """Record that the socket is connected."""
        self._is_connected = True

    def subscribed(self) -> None:
        """Record the subscription, and refetch."""
        self._is_up, self._refused = True, None
        if self.began_s is not None:
            self.subscribed_ms = self._elapsed_ms() if self.subscribed_ms is None else self.subscribed_ms
            self._trigger(ClearedBy.SUBSCRIBE)
        self._woken.set()

    def lost(self) -> None:
        """Record that the subscription was lost."""
        self._is_up = False
        self._woken.set()

    def refused(self, status: int) -> None:
        """Record that the app refused."""
        self._is_up, self._refused = False, status
        self._woken.set()

    def pushed(self) -> None:
        """Refetch."""
        if self.began_s is None:
            return
        if self.pushed_ms is None:
            self.pushed_ms = self._elapsed_ms()
            self._changed(self, "push received")
        if self.cleared_ms is None:
            self._is_pushed = True
            self._trigger(ClearedBy.PUSH)

    # --- from payment to report

    async def live(self, listening: Listening, pay: Callable[[], None], *, pays_after_s: float, away_s: float) -> None:
        """Open the page, pay, watch for half a minute, and report. After a redirect the page opens on return."""
        if self.flow is Flow.REDIRECT:
            pay()
            await asyncio.sleep(away_s)
        subscription = asyncio.create_task(listening.run(), name="payer.listen")
        try:
            if self.flow is Flow.IN_PAGE:
                self._ask()
                await asyncio.sleep(pays_after_s)
                pay()
            await self._watch()
            await self._report()
        finally:
            tasks = [task for task in (subscription, self._refetching, self._asking) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self) -> None:
        self.began_s = asyncio.get_running_loop().time()
        self.subscribed_ms = 0 if self._is_up else None
        if self._lease_s() <= 0:
            self._ask()
        self._follow()
        self._trigger(ClearedBy.FIRST)
        while self._elapsed_s() < LAST_S or self._refetching is not None:
            self._woken.clear()
            due_s = self._look()
            try:
                async with asyncio.timeout(max(0.001, due_s)):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _look(self) -> float:
        """Run the refetches that are due, and return the seconds until the next check."""
        ms = self._elapsed_s() * 1000
        self._was_up = self._was_up or self._is_up
        self._follow()
        if self.cleared_ms is None and self._schedule.mode is not Mode.TIMER_POLLING:
            if self._relies():
                self._schedule = self._answer
            else:
                is_over = self._lease_s() <= 0 and self._answer.mode is not Mode.TIMER_POLLING
                self._schedule, self._fell = self._chosen(), True
                self._trigger(ClearedBy.LEASE if is_over else ClearedBy.MOVED)
        schedule = self._schedule
        polls = self.cleared_ms is None or (schedule.mode is Mode.TIMER_POLLING and not self._fell)
        if polls and any(self._done_ms < at_ms <= ms for at_ms in schedule.refetch_after_ms if at_ms):
            self._trigger(ClearedBy.TIMER)
        if self.cleared_ms is None:
            if schedule.safety_net_ms and self._done_ms < schedule.safety_net_ms <= ms:
                self._trigger(ClearedBy.SAFETY_NET)
            if self._done_ms < LAST_S * 1000 <= ms:
                self._trigger(ClearedBy.LAST)
            if self._retry_s is not None and self._retry_s <= self._elapsed_s():
                self._retry_s = None
                self._trigger(ClearedBy.PUSH, is_retry=True)
        self._done_ms = max(self._done_ms, ms)
        return self._next_look_s(ms)

    def _next_look_s(self, ms: float) -> float:
        schedule = self._schedule
        looks = [*schedule.refetch_after_ms, schedule.safety_net_ms or 0, CONFIRM_WITHIN_S * 1000, LAST_S * 1000]
        waits_s = [(at_ms - ms) / 1000 for at_ms in looks if at_ms > ms]
        if self.cleared_ms is None:
            waits_s += [] if self._retry_s is None else [self._retry_s - self._elapsed_s()]
            if schedule.mode is not Mode.TIMER_POLLING:
                waits_s.append(self._lease_s())
            renew_s = self._asked_s + max(_RENEW_AT_LEAST_S, self._answer.valid_for_s / 2) - self._now_s()
            if renew_s <= 0:
                self._ask()
            waits_s.append(max(_RENEW_AT_LEAST_S, renew_s))
        return min(waits_s, default=_RENEW_AT_LEAST_S)

    # --- the flag

    def _ask(self) -> None:
        if self._asking is None or self._asking.done():
            self._asked_s = self._now_s()
            self._asking = asyncio.create_task(self._answered(), name="payer.flag")

    async def _answered(self) -> None:
        url = f"{self._places.public}/flags/payment-refresh"
        asked_s = self._now_s()
        try:
            async with (
                asyncio.timeout(_FLAG_WITHIN_S),
                self._session.get(url, params={"targeting_key": self.user_id}) as answer,
            ):
                body = await answer.read()
                if answer.status != 200:  # noqa: PLR2004
                    return
        except (aiohttp.ClientError, OSError, TimeoutError):
            return
        self._answer, self._believed_s = msgspec.json.decode(body, type=Answer), asked_s
        self.was_answered = True
        self._woken.set()

    def _lease_s(self) -> float:
        return self._believed_s + self._answer.valid_for_s - self._now_s()

    def _relies(self) -> bool:
        """Return whether the page relies on push now: before its subscription is confirmed, for three seconds."""
        if self._answer.mode is Mode.TIMER_POLLING or self._lease_s() <= 0:
            return False
        may_still_come = self._refused is None and not self._was_up and self._elapsed_s() < CONFIRM_WITHIN_S
        return self._is_up or may_still_come

    def _chosen(self) -> Answer:
        is_timers = self._answer.mode is Mode.TIMER_POLLING
        return self._answer if self._relies() or (is_timers and self._lease_s() > 0) else TIMERS

    def _follow(self) -> None:
        if not self._is_decided and self._lease_s() > 0:
            self._is_decided = True
            self._schedule = self._chosen()
            self.mode, self.version = self._schedule.mode, self._answer.version
            if self._left is not None and self.mode is not Mode.TIMER_POLLING:
                self._trigger(self._left)

    # --- refetching

    def _trigger(self, why: ClearedBy, *, is_retry: bool = False) -> None:
        """Refetch for a cause; while a refetch is in flight, once more after it."""
        if self.cleared_ms is not None and why is not ClearedBy.TIMER:
            return
        timed = self._schedule.mode is Mode.TIMER_POLLING and not self._fell
        is_timed = timed and self._done_ms < max(self._schedule.refetch_after_ms)
        if is_timed and not is_retry and why in {ClearedBy.PUSH, ClearedBy.SUBSCRIBE}:
            self._left = why  # a timer refetches soon anyway
        elif self._refetching is None:
            self._refetching = asyncio.create_task(self._refetch(why, is_retry=is_retry), name="payer.refetch")
        elif self._is_sent:
            self._next = self._next or why

    async def _refetch(self, why: ClearedBy, *, is_retry: bool) -> None:
        self.refetches += 1
        self._is_sent = False
        is_paid = False
        try:
            async with asyncio.timeout(_REFETCH_WITHIN_S):
                await asyncio.sleep(_FETCH_MS / 1000)
                is_pushed, self._is_pushed, self._left, self._is_sent = self._is_pushed, False, None, True
                url = f"{self._places.app}/bookings"
                async with self._session.get(url, params={"payment_intent": self.payment}) as answer:
                    body = await answer.read()
                    is_paid = answer.status == 200 and msgspec.json.decode(body)["paid"]  # noqa: PLR2004
                await asyncio.sleep(_FETCH_MS / 1000)
        except (aiohttp.ClientError, OSError, TimeoutError):
            is_pushed = False
        self._refetching = None
        if is_paid and self.cleared_ms is None:
            self.cleared_ms, self.cleared_by = self._elapsed_ms(), why
            self._changed(self, f'"Pay now" is cleared ({why})')
        elif not is_paid and (is_pushed or is_retry):
            self.stale_refetches += 1
            self._retry_s = self._elapsed_s() + STALE_AFTER_S if is_pushed else None
        after, self._next = self._next, None
        if after is not None:
            self._trigger(after)
        self._woken.set()

    # --- the report

    async def _report(self) -> None:
        is_confirmed = self.subscribed_ms is not None
        is_refused = not is_confirmed and self._refused is not None
        silent = Subscription.SILENT if self._is_connected else Subscription.OFFLINE
        subscription = Subscription.CONFIRMED if is_confirmed else Subscription.REFUSED if is_refused else silent
        report: dict[str, Any] = {
            "token": self._report_token(),
            "payment_intent": self.payment,
            "flow": self.flow,
            "mode": self.mode,
            "version": self.version,
            "subscription": subscription,
            "auth_status": self._refused if is_refused else None,
            "refetches": self.refetches,
            "stale_refetches": self.stale_refetches,
            "subscribed_after_ms": self.subscribed_ms,
            "pushed_after_ms": self.pushed_ms,
            "cleared_after_ms": self.cleared_ms,
            "cleared_by": self.cleared_by,
            "watched_ms": self._elapsed_ms(),
        }
        try:
            async with (
                asyncio.timeout(_FLAG_WITHIN_S),
                self._session.post(
                    f"{self._places.public}/acks",
                    data=msgspec.json.encode(report),
                    headers={"Content-Type": "text/plain"},
                ) as answer,
            ):
                await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return
        self._changed(self, "reported")

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _elapsed_s(self) -> float:
        return 0.0 if self.began_s is None else self._now_s() - self.began_s

    def _elapsed_ms(self) -> int:
        return round(self._elapsed_s() * 1000)
