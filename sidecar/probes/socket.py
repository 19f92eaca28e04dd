"""One subscribed socket: dialled like a browser's, kept alive by the rules of the protocol, and read."""

import asyncio
from collections.abc import Callable, Sequence

import aiohttp

from sidecar import clock
from sidecar.core.facts.auth_probes import AuthProbeOutcome, Step
from sidecar.probes.auth_probe import CLOSED, closed, hang_up, refused, upgraded
from sidecar.probes.browser import Browser
from sidecar.probes.connection_errors import FAILURES, ended_by
from sidecar.probes.probe_record import Ended, ProbeRecord
from sidecar.pusher.connection import Connection, Phase
from sidecar.pusher.messages import Arrived
from sidecar.pusher.signing import App, channel_auth

_PONG_WITHIN_S = 10.0

Listener = Callable[[Arrived], None]


class Link:
    """A connection that is subscribed."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        ws: aiohttp.ClientWebSocketResponse,
        connection: Connection,
        app: App,
    ) -> None:
        self._session, self._ws, self._connection, self._app = session, ws, connection, app

    async def listen(self, listener: Listener) -> Ended:
        """Hand over what arrives until the connection ends, and return why it did. Closes it in any case."""
        try:
            while self._connection.phase is Phase.CONNECTED:
                await self.receive(listener)
        except FAILURES as error:
            return ended_by(error, Step.SUBSCRIBE)
        except Ended as ended:
            return ended
        finally:
            await self.close()
        if self._connection.phase is Phase.SILENT:
            return Ended(AuthProbeOutcome.timeout_at(Step.SUBSCRIBE), detail="a ping was not answered")
        return refused(self._connection)

    async def receive(self, listener: Listener) -> None:
        """Receive one frame or time out; then send what is due. Raises `Ended` at the end."""
        connection = self._connection
        due_s = connection.next_deadline_s()
        left_s = None if due_s is None else max(0.0, due_s - clock.monotonic_s())
        try:
            async with asyncio.timeout(left_s):
                message = await self._ws.receive()
        except TimeoutError:
            connection.let_time_pass(clock.monotonic_s())
        else:
            if message.type in CLOSED:
                error = connection.error
                connection.ended()
                raise refused(connection) if error else closed(self._ws, message)
            if message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                message_in = connection.receive(message.data, clock.monotonic_s())
                if isinstance(message_in, Arrived):
                    listener(message_in)
        await self._send()

    async def join(self, channel: str) -> None:
        """Subscribe to another channel; the answer arrives while listening."""
        auth = channel_auth(self._app, self._connection.socket_id, channel)
        self._connection.join(channel, auth)
        await self._send()

    def has(self, channel: str) -> bool:
        """Return whether it is subscribed to a channel."""
        return channel in self._connection.subscribed

    async def leave(self, channel: str) -> None:
        """Leave a channel."""
        self._connection.leave(channel)
        await self._send()

    async def close(self) -> None:
        """Close the socket, and wait for the other side no longer than a second."""
        try:
            await hang_up(self._ws)
        finally:
            await self._session.close()

    async def _send(self) -> None:
        for text in self._connection.outgoing():
            await self._ws.send_str(text)


async def dialled(browser: Browser, channels: Sequence[str], listener: Listener, *, within_s: float) -> Link:
    """Return a connection that is subscribed to these channels, signed by ourselves. Raises `Ended`."""
    probe_record, target = ProbeRecord(), browser.target
    url = target.socket_url
    session = browser.session(probe_record, Step.UPGRADE, url, "")
    connection = Connection(clock.monotonic_s(), pong_within_s=_PONG_WITHIN_S)
    link: Link | None = None
    is_done = False
    try:
        async with asyncio.timeout(within_s):
            link = Link(session, await upgraded(session, url, probe_record), connection, target.app)
            probe_record.begin(Step.ESTABLISH)
            while connection.phase is Phase.AWAITING:
                await link.receive(listener)
            if connection.phase is not Phase.CONNECTED:
                raise refused(connection)
            probe_record.begin(Step.SUBSCRIBE)
            for channel in channels:
                await link.join(channel)
            while connection.pending and connection.phase is Phase.CONNECTED:
                await link.receive(listener)
            if not connection.subscribed.issuperset(channels):
                raise refused(connection)
        is_done = True
    except TimeoutError:
        raise Ended(AuthProbeOutcome.timeout_at(probe_record.step)) from None
    except FAILURES as error:
        raise ended_by(error, probe_record.step) from error
    finally:
        if not is_done:
            await (session if link is None else link).close()
    return link
