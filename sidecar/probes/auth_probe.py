"""A browser's way to a private channel: connect, handshake, authorise, subscribe. Each step can fail.

An auth probe never raises for what a target does: its result is one outcome of a closed set, with the step where it
ended. The caller sets the deadline; an auth probe that runs out of time reports the step that it had reached.
"""

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp

from sidecar import clock
from sidecar.config import Authorizer
from sidecar.core.facts.auth_probes import AuthProbeOutcome, Step
from sidecar.probes.auth_responses import Answer, auth_in, blocks_request, blocks_script, refusal_of, unsafe_headers
from sidecar.probes.browser import Browser
from sidecar.probes.connection_errors import FAILURES, ended_by
from sidecar.probes.probe_record import AuthProbeResult, Ended, ProbeRecord
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
from sidecar.pusher.messages import Refused
from sidecar.pusher.signing import Fault, fault_of

FRAME_BYTES_MAX = 256 * 1024
_CLOSED_WITHIN_S = 1.0
CLOSED = {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
_BY_CODE = {
    APP_UNKNOWN: AuthProbeOutcome.ERROR_4001,
    OVER_QUOTA: AuthProbeOutcome.ERROR_4004,
    MALFORMED: AuthProbeOutcome.ERROR_4200,
    NO_PONG: AuthProbeOutcome.ERROR_4201,
    LIMITED: AuthProbeOutcome.ERROR_4301,
}
BY_FAULT = {
    Fault.SHAPE: AuthProbeOutcome.NO_AUTH_200,
    Fault.KEY: AuthProbeOutcome.SIGNED_WITH_OTHER_KEY,
    Fault.SECRET: AuthProbeOutcome.SIGNED_WITH_OTHER_SECRET,
    Fault.SOCKET: AuthProbeOutcome.SIGNED_FOR_OTHER_SOCKET,
    Fault.CHANNEL: AuthProbeOutcome.SIGNED_FOR_OTHER_CHANNEL,
}
_SOCKETS_KEPT = 20
_NO_SOCKET = "1234.5678"
"""Has the form of a socket id: the isolation outcome does not depend on whose id it is."""


Take = Callable[[ProbeRecord], Awaitable[object]]
Done = Callable[[], bool]


class AuthProber:
    """AuthProbes as one user, in one browser."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self._target = browser.target
        self._earlier_sockets: deque[str] = deque(maxlen=_SOCKETS_KEPT)

    async def auth_probe(self, *, within_s: float) -> AuthProbeResult:
        """AuthProbe to the probe user's own channel."""
        return await self._taken(self._to_channel, within_s)

    async def probe_isolation(self, channel: str, *, within_s: float) -> AuthProbeResult:
        """Send one request to the auth endpoint, for a channel of another user; `ok` means that access was allowed."""

        async def ask(probe_record: ProbeRecord) -> None:
            await self._authorised(probe_record, _NO_SOCKET, channel, as_script=False)

        return await self._taken(ask, within_s)

    async def _taken(self, take: Take, within_s: float) -> AuthProbeResult:
        probe_record = ProbeRecord()
        try:
            async with asyncio.timeout(within_s):
                await take(probe_record)
        except TimeoutError:
            step = Step.AUTHORISE if probe_record.step is Step.SIGNATURE else probe_record.step
            return probe_record.probed(AuthProbeOutcome.timeout_at(step), detail=f"nothing came within {within_s:g} s")
        except Ended as ended:
            return probe_record.probed(ended.outcome, ended.number, ended.detail)
        except FAILURES as error:
            end = ended_by(error, probe_record.step)
            return probe_record.probed(end.outcome, end.number, end.detail)
        return probe_record.probed(AuthProbeOutcome.OK)

    async def _to_channel(self, probe_record: ProbeRecord) -> None:
        connection = Connection(clock.monotonic_s())
        url = self._target.socket_url
        sent = f"GET {url.partition('?')[0]} with Upgrade: websocket"
        async with (
            self.browser.session(probe_record, Step.UPGRADE, url, sent) as session,
            hung_up(await upgraded(session, url, probe_record)) as ws,
        ):
            probe_record.begin(Step.ESTABLISH)
            await _until(ws, connection, probe_record, lambda: connection.phase is not Phase.AWAITING)
            if connection.phase is not Phase.CONNECTED:
                raise refused(connection)
            probe_record.received(f"connection_established, socket {connection.socket_id}")
            self._earlier_sockets.append(connection.socket_id)
            auth, data = await self._authorised(probe_record, connection.socket_id, self._target.channel)
            self._compare(probe_record, auth, data, connection.socket_id)
            probe_record.begin(Step.SUBSCRIBE, self._target.channel)
            probe_record.sent(f"pusher:subscribe {self._target.channel}")
            connection.join(self._target.channel, auth, data)
            await _send(ws, connection)
            await _until(ws, connection, probe_record, lambda: not connection.pending)
            if self._target.channel not in connection.subscribed:
                raise refused(connection)
            probe_record.received("subscription_succeeded")

    async def _authorised(
        self, probe_record: ProbeRecord, socket_id: str, channel: str, *, as_script: bool = True
    ) -> tuple[str, str]:
        """Return `auth` and `channel_data` for a channel; a session that ended is renewed once.

        CORS restricts the script of a page, not an attacker, so the isolation probe ignores it.
        """
        await self.browser.log_in(probe_record)
        answer = await self._asked(probe_record, socket_id, channel, as_script=as_script)
        is_expired = answer.status in {401, 419} or (answer.status == 403 and self.browser.may_renew)  # noqa: PLR2004
        if is_expired and self.browser.may_renew:
            probe_record.notes.append(f"The session was refused with {answer.status}, and was renewed by a new login.")
            self.browser.forget()
            await self.browser.log_in(probe_record)
            answer = await self._asked(probe_record, socket_id, channel, as_script=as_script)
        ended = refusal_of(answer)
        why = self._blocked(answer) if as_script else None
        if ended is not None:
            if why is not None:
                probe_record.notes.append(f"A browser would show this as a network error with status 0: {why}.")
            raise ended
        if why is not None:
            raise Ended(AuthProbeOutcome.BLOCKED_BY_CORS, answer.status, why)
        return auth_in(answer)

    async def _asked(self, probe_record: ProbeRecord, socket_id: str, channel: str, *, as_script: bool) -> Answer:
        target = self._target
        headers, body = self.browser.auth_request(socket_id, channel)
        if target.is_cross_origin and as_script:
            asked = unsafe_headers(headers, is_form=target.authorizer is Authorizer.DEFAULT)
            if asked:
                await self._preflight(probe_record, asked)
        if target.sends_cookies:
            headers |= self.browser.cookies(target.auth_endpoint)
        return await self.browser.ask(probe_record, Step.AUTHORISE, "POST", target.auth_endpoint, headers, body)

    async def _preflight(self, probe_record: ProbeRecord, asked: list[str]) -> None:
        target = self._target
        headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": ",".join(asked)}
        answer = await self.browser.ask(probe_record, Step.PREFLIGHT, "OPTIONS", target.auth_endpoint, headers)
        credentials = target.authorizer is Authorizer.AXIOS
        why = blocks_request(answer, target.origin, asked, with_credentials=credentials)
        if why is None:
            return
        ended = refusal_of(answer)
        is_outage = ended is not None and ended.outcome in {
            AuthProbeOutcome.WAF_CHALLENGE,
            AuthProbeOutcome.THROTTLED_429,
            AuthProbeOutcome.MAINTENANCE_503,
            AuthProbeOutcome.SERVER_ERROR_5XX,
        }
        if ended is not None and is_outage:
            raise ended
        raise Ended(AuthProbeOutcome.BLOCKED_BY_CORS, answer.status, why)

    def _blocked(self, answer: Answer) -> str | None:
        target = self._target
        if not target.is_cross_origin:
            return None
        return blocks_script(answer, target.origin, with_credentials=target.authorizer is Authorizer.AXIOS)

    def _compare(self, probe_record: ProbeRecord, auth: str, data: str, socket_id: str) -> None:
        app, channel = self._target.app, self._target.channel
        if not app.secret:
            probe_record.notes.append("REVERB_APP_SECRET is not set, so the signature was not compared.")
            return
        probe_record.begin(Step.SIGNATURE, channel)
        earlier = [each for each in self._earlier_sockets if each != socket_id]
        fault = fault_of(app, auth, socket_id, channel, data, earlier_sockets=earlier)
        if fault is not None:
            raise Ended(BY_FAULT[fault])
        key = auth.partition(":")[0]
        if key != app.key:
            probe_record.notes.append(
                "The signature is right, but stands behind another key; Reverb does not look at the key."
            )


async def upgraded(
    session: aiohttp.ClientSession, url: str, probe_record: ProbeRecord
) -> aiohttp.ClientWebSocketResponse:
    """Return the WebSocket. Raises `Ended` for an answer that is no upgrade, and aiohttp's errors otherwise."""
    try:
        ws = await session.ws_connect(url, max_msg_size=FRAME_BYTES_MAX, autoclose=True, compress=0)
    except aiohttp.WSServerHandshakeError as error:
        if error.status in {101, 200}:
            raise Ended(AuthProbeOutcome.NOT_HTTP, error.status, "not a WebSocket's handshake") from error
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        ended = refusal_of(Answer(status=error.status, headers=headers, body=b""))
        if error.status == 500:  # noqa: PLR2004 - what Reverb answers to a plain GET of /app/{key}
            ended = Ended(AuthProbeOutcome.UPGRADE_STRIPPED, error.status)
        raise ended or Ended(AuthProbeOutcome.UNEXPECTED_STATUS, error.status) from error
    probe_record.received("101 Switching Protocols")
    return ws


@asynccontextmanager
async def hung_up(ws: aiohttp.ClientWebSocketResponse) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Give the WebSocket, and close it in the end."""
    try:
        yield ws
    finally:
        await hang_up(ws)


async def hang_up(ws: aiohttp.ClientWebSocketResponse) -> None:
    """Close a WebSocket, and wait for the other side's answer no longer than a second."""
    held = ws.get_extra_info("socket")
    try:
        async with asyncio.timeout(_CLOSED_WITHIN_S):
            await ws.close()
    except (TimeoutError, *FAILURES):
        pass
    finally:
        if held is not None and held.fileno() >= 0:  # else what the other side never reads keeps it open for ever
            with suppress(OSError), socket.fromfd(held.fileno(), held.family, held.type) as same:
                same.shutdown(socket.SHUT_RDWR)


def refused(connection: Connection) -> Ended:
    """Return the outcome of a refused connection or channel, or of a connection that just ended."""
    error: Refused | None = connection.error
    if error is None:
        is_garbage = connection.phase is Phase.REFUSED
        return Ended(AuthProbeOutcome.NOT_PUSHER if is_garbage else AuthProbeOutcome.CLOSED_WITHOUT_FRAME)
    if error.code == UNAUTHORISED:
        is_origin = error.message == ORIGIN_MESSAGE or connection.phase is Phase.REFUSED
        outcome = AuthProbeOutcome.ERROR_4009_ORIGIN if is_origin else AuthProbeOutcome.ERROR_4009_UNAUTHORISED
        return Ended(outcome, error.code, error.message)
    return Ended(_BY_CODE.get(error.code, AuthProbeOutcome.ERROR_OTHER), error.code, error.message)


def closed(ws: aiohttp.ClientWebSocketResponse, message: aiohttp.WSMessage) -> Ended:
    """Return the outcome of a WebSocket that ended without a `pusher:error`."""
    if isinstance(message.data, aiohttp.WebSocketError):  # closed by the client
        return Ended(AuthProbeOutcome.NOT_PUSHER, ws.close_code, f"no frame of Reverb's: {message.data}")
    return Ended(AuthProbeOutcome.CLOSED_WITHOUT_FRAME, ws.close_code)


async def _until(
    ws: aiohttp.ClientWebSocketResponse, connection: Connection, probe_record: ProbeRecord, done: Done
) -> None:
    """Receive until the step is done, an error arrived, or the connection ended."""
    before = connection.error
    while not done():
        message = await ws.receive()
        if message.type in CLOSED:
            code = ws.close_code
            if connection.error is None:
                probe_record.received(f"the connection ended, close code {code}")
            is_known = connection.error is not None
            connection.ended()
            if not is_known:
                raise closed(ws, message)
            return
        if message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
            connection.receive(message.data, clock.monotonic_s())
            await _send(ws, connection)
        if connection.error is not before:
            return


async def _send(ws: aiohttp.ClientWebSocketResponse, connection: Connection) -> None:
    for text in connection.outgoing():
        await ws.send_str(text)
