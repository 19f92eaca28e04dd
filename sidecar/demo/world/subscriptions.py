"""The subscription of a simulated browser: dial Reverb, authorise the channel, subscribe, and reconnect."""

import asyncio

import aiohttp
import msgspec

from sidecar import clock
from sidecar.demo.standin.backend import EVENT
from sidecar.pusher.connection import Connection, Phase
from sidecar.pusher.messages import Arrived
from sidecar.pusher.signing import App

_QUERY = "protocol=7&client=js&version=8.6.0&flash=false"
_DIALLED_WITHIN_S = 10.0
_AGAIN_S = (1.0, 2.0, 4.0, 8.0)


class Places(msgspec.Struct, kw_only=True):
    """The addresses that browsers use."""

    reverb: str = ""
    """`ws://host:port`."""
    app: str = ""
    public: str = ""
    """The sidecar's public listener."""


class ChannelEvents:
    """Events of the channel, for a browser."""

    def connected(self) -> None:
        """Record that the socket is connected."""

    def subscribed(self) -> None:
        """Record that the channel is subscribed."""

    def lost(self) -> None:
        """Record that the subscription was lost."""

    def refused(self, status: int) -> None:
        """Record that the app refused the subscription."""

    def pushed(self) -> None:
        """Record a broadcast."""


class _Refused(Exception):  # noqa: N818 - what the app did
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Listening:
    """One browser's channel."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        places: Places,
        app: App,
        *,
        channel: str,
        token: str,
        events: ChannelEvents,
    ) -> None:
        self._session, self._places, self._app = session, places, app
        self._channel, self._token, self._events = channel, token, events

    async def run(self) -> None:
        """Listen until cancelled."""
        tries = 0
        while True:
            try:
                if await self._once():
                    tries = 0
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
            self._events.lost()
            await asyncio.sleep(_AGAIN_S[min(tries, len(_AGAIN_S) - 1)])
            tries += 1

    async def _once(self) -> bool:
        """Dial, subscribe, and listen until the connection ends; return whether it had been established."""
        url = f"{self._places.reverb}/app/{self._app.key}?{_QUERY}"
        connection = Connection(clock.monotonic_s())
        async with asyncio.timeout(_DIALLED_WITHIN_S):
            ws = await self._session.ws_connect(url, headers={"Origin": self._places.app}, autoping=True)
        try:
            while connection.phase in {Phase.AWAITING, Phase.CONNECTED}:
                await self._receive(ws, connection)
        finally:
            await ws.close()
        return bool(connection.socket_id)

    async def _receive(self, ws: aiohttp.ClientWebSocketResponse, connection: Connection) -> None:
        due_s = connection.next_deadline_s()
        try:
            async with asyncio.timeout(None if due_s is None else max(0.0, due_s - clock.monotonic_s())):
                message = await ws.receive()
        except TimeoutError:
            connection.advance(clock.monotonic_s())
        else:
            if message.type is not aiohttp.WSMsgType.TEXT:
                connection.ended()
                return
            was_up, was_named = self._channel in connection.subscribed, bool(connection.socket_id)
            received = connection.receive(message.data, clock.monotonic_s())
            if not was_named and connection.socket_id:
                self._events.connected()
                await self._join(connection)
            elif not was_up and self._channel in connection.subscribed:
                self._events.subscribed()
            elif isinstance(received, Arrived) and received.event == EVENT and received.channel == self._channel:
                self._events.pushed()
        for text in connection.outgoing():
            await ws.send_str(text)

    async def _join(self, connection: Connection) -> None:
        fields = {"socket_id": connection.socket_id, "channel_name": self._channel}
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"{self._places.app}/broadcasting/auth"
        async with asyncio.timeout(_DIALLED_WITHIN_S), self._session.post(url, data=fields, headers=headers) as answer:
            body = await answer.read()
        if answer.status == 200:  # noqa: PLR2004
            connection.join(self._channel, str(msgspec.json.decode(body).get("auth", "")))
        else:
            self._events.refused(answer.status)
