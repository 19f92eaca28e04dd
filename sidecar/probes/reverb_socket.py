"""One WebSocket to Reverb: opened as a browser opens it, kept alive by the rules of the protocol, and closed."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

import aiohttp

from sidecar import clock
from sidecar.core.facts.auth_probes import AuthProbeOutcome, Step
from sidecar.probes.auth_responses import Answer, refusal_of
from sidecar.probes.browser import Browser
from sidecar.probes.connection_errors import FAILURES, ended_by, ending
from sidecar.probes.probe_record import Ended, ProbeRecord
from sidecar.pusher.connection import (
    APP_UNKNOWN,
    LIMITED,
    MALFORMED,
    NO_PONG,
    ORIGIN_MESSAGE,
    OVER_QUOTA,
    UNAUTHORISED,
    Connection,
    Phase,
)
from sidecar.pusher.messages import Arrived
from sidecar.pusher.signing import channel_auth

FRAME_BYTES_MAX = 256 * 1024
_PONG_WITHIN_S = 10.0
_CLOSED_WITHIN_S = 1.0
_CLOSED = {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
_BY_CODE = {
    APP_UNKNOWN: AuthProbeOutcome.ERROR_4001,
    OVER_QUOTA: AuthProbeOutcome.ERROR_4004,
    MALFORMED: AuthProbeOutcome.ERROR_4200,
    NO_PONG: AuthProbeOutcome.ERROR_4201,
    LIMITED: AuthProbeOutcome.ERROR_4301,
}

Listener = Callable[[Arrived], None]


class ReverbSocket:
    """A WebSocket to Reverb, with the state of its connection."""

    def __init__(self, browser: Browser, session: aiohttp.ClientSession, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.connection = Connection(clock.monotonic_s(), pong_within_s=_PONG_WITHIN_S)
        self._app, self._session, self._ws = browser.target.app, session, ws

    async def establish(self, record: ProbeRecord) -> None:
        """Wait for Reverb's first message. Raises `Ended` if it is not `pusher:connection_established`."""
        record.begin(Step.ESTABLISH)
        await self.until(lambda: self.connection.phase is not Phase.AWAITING)
        if self.connection.phase is not Phase.CONNECTED:
            raise self._refused()
        record.received(f"connection_established, socket {self.connection.socket_id}")

    async def subscribed(self, channels: Sequence[str], listener: Listener | None = None) -> None:
        """Wait for the answers to all subscriptions. Raises `Ended` if one of these channels is refused."""
        await self.until(lambda: not self.connection.pending or self.connection.phase is not Phase.CONNECTED, listener)
        if not self.connection.subscribed.issuperset(channels):
            raise self._refused()

    async def listen(self, listener: Listener) -> Ended:
        """Pass on the events that arrive until the connection ends; close it, and return the reason."""
        try:
            while self.connection.phase is Phase.CONNECTED:
                await self.receive(listener)
        except FAILURES as error:
            return ended_by(error, Step.SUBSCRIBE)
        except Ended as ended:
            return ended
        finally:
            await self.aclose()
        if self.connection.phase is Phase.SILENT:
            return Ended(AuthProbeOutcome.timeout_at(Step.SUBSCRIBE), detail="a ping was not answered")
        return self._refused()

    async def until(self, is_done: Callable[[], bool], listener: Listener | None = None) -> None:
        """Receive until a condition is met or a `pusher:error` arrives. Raises `Ended` at the connection's end."""
        before = self.connection.error
        while not is_done() and self.connection.error is before:
            await self.receive(listener)

    async def join(self, channel: str, auth: str | None = None, channel_data: str = "") -> None:
        """Subscribe to a channel, signed with the application's secret without `auth`. The answer arrives later."""
        signature = channel_auth(self._app, self.connection.socket_id, channel) if auth is None else auth
        self.connection.join(channel, signature, channel_data)
        await self._send()

    def has(self, channel: str) -> bool:
        """Return whether it is subscribed to a channel."""
        return channel in self.connection.subscribed

    async def leave(self, channel: str) -> None:
        """Unsubscribe from a channel."""
        self.connection.leave(channel)
        await self._send()

    async def aclose(self) -> None:
        """Close the socket; wait at most a second for the peer's Close frame."""
        held = self._ws.get_extra_info("socket")
        try:
            with suppress(TimeoutError, *FAILURES):
                async with asyncio.timeout(_CLOSED_WITHIN_S):
                    await self._ws.close()
        finally:
            if held is not None and held.fileno() >= 0:  # unsent data that the peer never reads would keep it open
                with suppress(OSError), socket.fromfd(held.fileno(), held.family, held.type) as same:
                    same.shutdown(socket.SHUT_RDWR)
            await self._session.close()

    async def receive(self, listener: Listener | None) -> None:
        """Receive one frame or reach a deadline; then send what is due. Raises `Ended` at the connection's end."""
        due_s = self.connection.next_deadline_s()
        left_s = None if due_s is None else max(0.0, due_s - clock.monotonic_s())
        try:
            async with asyncio.timeout(left_s):
                frame = await self._ws.receive()
        except TimeoutError:
            self.connection.advance(clock.monotonic_s())
        else:
            if frame.type in _CLOSED:
                self.connection.ended()
                raise self._closed(frame) if self.connection.error is None else self._refused()
            if frame.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                message = self.connection.receive(frame.data, clock.monotonic_s())
                if listener is not None and isinstance(message, Arrived):
                    listener(message)
        await self._send()

    async def _send(self) -> None:
        for text in self.connection.outgoing():
            await self._ws.send_str(text)

    def _refused(self) -> Ended:
        """Return the outcome of a refused connection or channel, or of a connection that ended without an error."""
        error, phase = self.connection.error, self.connection.phase
        if error is None:
            is_garbage = phase is Phase.REFUSED
            return Ended(AuthProbeOutcome.NOT_PUSHER if is_garbage else AuthProbeOutcome.CLOSED_WITHOUT_FRAME)
        outcome = _BY_CODE.get(error.code, AuthProbeOutcome.ERROR_OTHER)
        if error.code == UNAUTHORISED:
            is_origin = error.message == ORIGIN_MESSAGE or phase is Phase.REFUSED
            outcome = AuthProbeOutcome.ERROR_4009_ORIGIN if is_origin else AuthProbeOutcome.ERROR_4009_UNAUTHORISED
        return Ended(outcome, error.code, error.message)

    def _closed(self, frame: aiohttp.WSMessage) -> Ended:
        """Return the outcome of a WebSocket that ended without a `pusher:error`."""
        code = self._ws.close_code
        if isinstance(frame.data, aiohttp.WebSocketError):  # closed by the client
            return Ended(AuthProbeOutcome.NOT_PUSHER, code, f"not a frame of the Pusher protocol: {frame.data}")
        return Ended(AuthProbeOutcome.CLOSED_WITHOUT_FRAME, code, f"the connection ended, close code {code}")


async def opened(browser: Browser, record: ProbeRecord) -> ReverbSocket:
    """Return an upgraded socket. Raises `Ended` for a response without an upgrade, and aiohttp's errors otherwise."""
    url = browser.target.socket_url
    session = browser.session(record, Step.UPGRADE, url, f"GET {url.partition('?')[0]} with Upgrade: websocket")
    try:
        ws = await session.ws_connect(url, max_msg_size=FRAME_BYTES_MAX, autoclose=True, compress=0)
    except BaseException as error:
        await session.close()
        if not isinstance(error, aiohttp.WSServerHandshakeError):
            raise
        raise _not_upgraded(error) from error
    record.received("101 Switching Protocols")
    return ReverbSocket(browser, session, ws)


async def subscribed_socket(
    browser: Browser, channels: Sequence[str], listener: Listener, *, within_s: float
) -> ReverbSocket:
    """Return a socket that is subscribed to these channels, signed by the sidecar. Raises `Ended`."""
    record, opening = ProbeRecord(), None
    try:
        async with ending(record, within_s):
            opening = await opened(browser, record)
            await opening.establish(record)
            record.begin(Step.SUBSCRIBE)
            for channel in channels:
                await opening.join(channel)
            await opening.subscribed(channels, listener)
    except BaseException:
        if opening is not None:
            await opening.aclose()
        raise
    return opening


def _not_upgraded(error: aiohttp.WSServerHandshakeError) -> Ended:
    if error.status in {101, 200}:
        return Ended(AuthProbeOutcome.NOT_HTTP, error.status, "not a WebSocket handshake")
    if error.status == 500:  # noqa: PLR2004 - what Reverb answers to a plain GET of /app/{key}
        return Ended(AuthProbeOutcome.UPGRADE_STRIPPED, error.status)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    ended = refusal_of(Answer(status=error.status, headers=headers, body=b""))
    return ended or Ended(AuthProbeOutcome.UNEXPECTED_STATUS, error.status)
