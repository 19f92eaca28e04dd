"""A round trip: a canary that is sent through Reverb's HTTP API must return over the sockets in time.

It is sent on the probe user's own channel and tests the transport also without payments. All observer sockets must
receive it, so that a deaf node is detected before it affects a payer.
"""

import asyncio

import aiohttp
import msgspec

from sidecar import clock, randomness
from sidecar.core.facts.auth_probes import RoundTripOutcome
from sidecar.core.facts.observations import RoundTripEnded
from sidecar.probes.observers import CANARY_EVENT, Observers
from sidecar.probes.reachability import CHECKED_WITHIN_S, is_cut_off
from sidecar.probes.target import USER_AGENT, Target
from sidecar.pusher.signing import signed_target

BACK_WITHIN_S = 2.0

_ANSWER_BYTES_MAX = 4096
_BY_STATUS = {401: RoundTripOutcome.API_SIGNATURE_401, 404: RoundTripOutcome.API_APP_UNKNOWN_404}

Published = tuple[RoundTripOutcome | None, int | None]
"""The API's failure and its status; (None, None) if it accepted the event."""


class RoundTrip:
    """The round trip probe."""

    name = "round_trip"
    within_s = BACK_WITHIN_S + CHECKED_WITHIN_S + 1.0

    def __init__(self, target: Target, observers: Observers, *, every_s: float, replica: str) -> None:
        self.every_s = every_s
        self._target, self._observers, self._replica = target, observers, replica

    async def probe(self) -> RoundTripEnded:
        """Send one canary, and wait until every subscribed socket has received it."""
        began_s = clock.monotonic_s()
        expected = self._observers.subscribed()
        if not expected:
            return await self._ended(RoundTripOutcome.SOCKETS_DOWN, began_s)
        canary_id = randomness.token_hex(8)
        publishing = asyncio.create_task(self._publish(canary_id))
        try:
            with self._observers.expect(canary_id, expected) as canary:
                try:
                    async with asyncio.timeout(BACK_WITHIN_S):
                        failed, number = await self._returned(publishing, canary.everywhere)
                except TimeoutError:
                    failed, number = publishing.result() if publishing.done() else (None, None)
                received, awaited = canary.received(), canary.awaited()
        finally:
            publishing.cancel()
        outcome = RoundTripOutcome.OK
        if failed is not None and not received:
            outcome = failed
        elif awaited and received:
            outcome = RoundTripOutcome.DEAF_NODE
        elif not received:
            outcome = RoundTripOutcome.LOST if publishing.done() else RoundTripOutcome.API_TIMEOUT
        return await self._ended(outcome, began_s, number, received=received, subscribed=received + awaited)

    @staticmethod
    async def _returned(publishing: "asyncio.Task[Published]", everywhere: asyncio.Event) -> Published:
        """Return once every socket has received the canary, or the API has refused it."""
        received = asyncio.create_task(everywhere.wait())
        try:
            await asyncio.wait({received, publishing}, return_when=asyncio.FIRST_COMPLETED)
            if publishing.done() and publishing.result()[0] is not None:
                return publishing.result()
            await received
        finally:
            received.cancel()
        return None, None

    async def _ended(
        self,
        outcome: RoundTripOutcome,
        began_s: float,
        number: int | None = None,
        *,
        received: int = 0,
        subscribed: int = 0,
    ) -> RoundTripEnded:
        took_ms = round((clock.monotonic_s() - began_s) * 1000)
        return RoundTripEnded(
            replica=self._replica,
            outcome=outcome,
            took_ms=took_ms,
            number=number,
            received=received,
            subscribed=subscribed,
            is_cut_off=await is_cut_off(self._target, outcome),
        )

    async def _publish(self, canary_id: str) -> Published:
        """Send the canary to Reverb's API."""
        target = self._target
        body = msgspec.json.encode(
            {"name": CANARY_EVENT, "data": msgspec.json.encode({"id": canary_id}).decode(), "channel": target.channel}
        )
        path = f"/apps/{target.app.app_id}/events"
        signed = signed_target(target.app, "POST", path, body, timestamp_s=clock.wall_ms() // 1000)
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        try:
            async with (
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.post(
                    f"{target.api_url}{signed}", data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                await response.content.read(_ANSWER_BYTES_MAX)
                if response.status == 200:  # noqa: PLR2004 - Reverb's answer to an accepted event
                    return None, None
                return _BY_STATUS.get(response.status, RoundTripOutcome.API_STATUS), response.status
        except (aiohttp.ClientError, OSError):
            return RoundTripOutcome.API_UNREACHABLE, None
