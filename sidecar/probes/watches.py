"""`POST /watches`: a page requests that its user's channel is watched for a while, to measure delivery.

This is for apps that cannot broadcast on the observer channel. The signed token names the user (`tokens`). It is in the
body, so that a script of any origin can send it without a preflight. Payments of other users are unmeasured.
"""

import asyncio
import enum
from collections.abc import Iterable
from typing import NoReturn

import msgspec
import structlog
from aiohttp import web

from sidecar import clock
from sidecar.core.facts.observations import UNREADABLE, WatchChanged
from sidecar.http.body import read_body
from sidecar.parts.cors import READABLE
from sidecar.parts.metrics import Counter
from sidecar.parts.part import TASK_FAILURES, Part, Task, TaskFunction
from sidecar.parts.routes import PUBLIC, post
from sidecar.ports import ErrorCode, Journal, SidecarError
from sidecar.probes.deliveries import Deliveries
from sidecar.probes.observers import Observers
from sidecar.tokens import Bearer, BrowserTokens, user_ref

WATCHES_MAX = 1_000
"""Maximum of watched users; each is a subscription on every socket."""
_BODY_BYTES_MAX = 4096
_BODY_WITHIN_S = 3.0
_JOINED_WITHIN_S = 3.0


class WatchResult(enum.StrEnum):
    """The result of a request to watch a user's channel."""

    WATCHED = "watched"
    REFUSED = "refused"
    FULL = "full"
    NOT_JOINED = "not_joined"


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: str


class _Watch(msgspec.Struct, kw_only=True):
    user_ref: str
    until_s: float
    """On the monotonic clock."""
    is_begun: bool = False
    """Whether it was confirmed; before that, the request removes it on failure."""


class Watches(Part):
    """The users whose own channel is watched."""

    requests = Counter("watch_requests", "Requests to watch a user's own channel by result.", {"result": WatchResult})
    failures = TASK_FAILURES

    def __init__(
        self,
        observers: Observers,
        deliveries: Deliveries,
        journal: Journal,
        *,
        tokens: BrowserTokens,
        identity_key: str,
        channel: str,
        replica: str,
    ) -> None:
        self._observers, self._deliveries, self._journal = observers, deliveries, journal
        self._tokens, self._identity_key, self._channel, self._replica = tokens, identity_key, channel, replica
        self._watches: dict[str, _Watch] = {}

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the task that ends watches."""
        yield "watches", self.run

    @post("/watches", on=PUBLIC)
    async def receive(self, request: web.Request) -> web.Response:
        """Watch a user's channel until the token expires. Raises `SidecarError` if it is refused."""
        body = await read_body(request, bytes_max=_BODY_BYTES_MAX, within_s=_BODY_WITHIN_S)
        with self.requests.on(SidecarError, WatchResult.REFUSED):
            bearer = self._read(body)
        await self._watch(bearer.user_id, bearer.lasts_s)
        return web.Response(status=204, headers=READABLE)

    async def run(self) -> NoReturn:
        """End expired watches, without end."""
        while True:
            await asyncio.sleep(1.0)
            now_s = clock.monotonic_s()
            expired = [each for each, watch in self._watches.items() if watch.is_begun and watch.until_s <= now_s]
            for channel in expired:
                await self._end(channel)

    def _read(self, body: bytes) -> Bearer:
        """Return the bearer of the token in the body."""
        try:
            request_body = msgspec.json.decode(body, type=_Body)
        except UNREADABLE as error:
            raise SidecarError(
                ErrorCode.BODY_INVALID,
                'the body is not {"token": "…"}; send the app\'s token of this user',
            ) from error
        return self._tokens.check(request_body.token)

    async def _watch(self, user_id: str, lasts_s: float) -> None:
        channel = self._channel.replace("{user_id}", user_id)
        until_s = clock.monotonic_s() + max(0.0, lasts_s)
        known = self._watches.get(channel)
        if known is not None:
            known.until_s = max(known.until_s, until_s)
            self.requests.inc(WatchResult.WATCHED)
            return
        if len(self._watches) >= WATCHES_MAX:
            self.requests.inc(WatchResult.FULL)
            raise SidecarError(ErrorCode.OVERLOADED, f"{WATCHES_MAX} users are watched already; try again later")
        reference = user_ref(self._identity_key, user_id)
        watch = self._watches[channel] = _Watch(user_ref=reference, until_s=until_s)
        self._deliveries.watch(channel, reference)
        try:
            await self._begin(channel, reference)
        except SidecarError:
            self._forget(channel)
            await self._observers.leave(channel)  # some sockets may have subscribed
            raise
        watch.is_begun = True
        self.requests.inc(WatchResult.WATCHED)

    async def _begin(self, channel: str, reference: str) -> None:
        if not await self._observers.watch(channel, within_s=_JOINED_WITHIN_S):
            self.requests.inc(WatchResult.NOT_JOINED)
            message = "Reverb refused the sidecar's subscription to the channel; try again later"
            raise SidecarError(ErrorCode.NOT_READY, message)
        await self._journal.append(WatchChanged(replica=self._replica, user_ref=reference, is_on=True))

    async def _end(self, channel: str) -> None:
        watch = self._forget(channel)
        await self._observers.leave(channel)
        try:
            await self._journal.append(WatchChanged(replica=self._replica, user_ref=watch.user_ref, is_on=False))
        except SidecarError as error:
            self.failures.inc(Task.WATCHES)
            structlog.get_logger().warning("watch.not_kept", code=error.code.value, message=error.message)

    def _forget(self, channel: str) -> _Watch:
        self._deliveries.leave(channel)
        return self._watches.pop(channel)
