"""Behaviour of the stand-in that no single recording shows: presence, client events, pruning, several nodes, Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import msgspec
import pytest

from sidecar import clock
from sidecar.demo.standin.reverb import Reverb
from sidecar.demo.standin.reverb_bus import Bus
from sidecar.demo.standin.reverb_channels import php_json
from sidecar.demo.standin.reverb_sockets import Setup
from sidecar.pusher.signing import App, channel_auth, signed_target
from tests.captures import APP_ID, KEY, SECRET

APP = App(app_id=APP_ID, key=KEY, secret=SECRET)


class Client:
    """An established socket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, socket_id: str) -> None:
        self.ws, self.socket_id = ws, socket_id

    async def join(self, channel: str, data: str = "") -> list[dict[str, Any]]:
        """Subscribe, and return the frames that arrive."""
        auth = channel_auth(APP, self.socket_id, channel, data)
        content = {"channel": channel, "auth": auth} | ({"channel_data": data} if data else {})
        await self.ws.send_json({"event": "pusher:subscribe", "data": content})
        return await self.received()

    async def send(self, event: str, **rest: object) -> list[dict[str, Any]]:
        """Send a message, and return the frames that arrive."""
        await self.ws.send_json({"event": event, **rest})
        return await self.received()

    async def received(self, within_s: float = 0.15) -> list[dict[str, Any]]:
        """Return the frames that arrive until there are no more."""
        seen: list[dict[str, Any]] = []
        while True:
            try:
                message = await self.ws.receive(timeout=within_s)
            except TimeoutError:
                return seen
            if message.type is not aiohttp.WSMsgType.TEXT:
                return [*seen, {"event": message.type.name.lower()}]
            seen.append(msgspec.json.decode(message.data))


@asynccontextmanager
async def nodes(
    count: int = 1, setup: Setup | None = None
) -> AsyncIterator[tuple[list[Reverb], list[int], Bus | None, Any]]:
    """Start nodes, with scaling if there are several."""
    bus = Bus(gives_up_after_s=0.3) if count > 1 else None
    reverbs = [Reverb(APP, setup=setup, bus=bus) for _ in range(count)]
    ports = [await each.start() for each in reverbs]
    async with aiohttp.ClientSession() as session:

        async def client(port: int) -> Client:
            ws = await session.ws_connect(f"ws://127.0.0.1:{port}/app/{KEY}")
            hello = msgspec.json.decode((await ws.receive()).data)
            return Client(ws, msgspec.json.decode(hello["data"])["socket_id"])

        yield reverbs, ports, bus, client
    for each in reverbs:
        await each.stop()


async def call(port: int, method: str, path: str, content: object = None, **params: str) -> tuple[int, Any]:
    """Call the API, signed; return status and content."""
    body = b"" if content is None else msgspec.json.encode(content)
    target = signed_target(
        APP, method, f"/apps/{APP_ID}/{path}", body, timestamp_s=clock.wall_ms() // 1000, params=params
    )
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{port}{target}", data=body or None) as response,
    ):
        text = await response.text()
    return response.status, msgspec.json.decode(text) if text.startswith("{") else text


def member(user_id: str) -> str:
    """Return the `channel_data` of a user."""
    return msgspec.json.encode({"user_id": user_id, "user_info": {"name": f"u{user_id}"}}).decode()


async def test_members_receive_events_for_the_first_and_the_last_socket_of_a_user() -> None:
    """Other sockets of the user cause no event, and ids keep their type."""
    async with nodes() as (_, ports, _, client):
        ann, bob, bob_again = [await client(ports[0]) for _ in range(3)]
        (done,) = await ann.join("presence-room", member("7"))
        assert msgspec.json.decode(done["data"]) == {
            "presence": {"count": 1, "ids": ["7"], "hash": {"7": {"name": "u7"}}}
        }
        await bob.join("presence-room", member("8"))
        await bob_again.join("presence-room", member("8"))
        assert [each["event"] for each in await ann.received()] == ["pusher_internal:member_added"]
        await bob.send("pusher:unsubscribe", data={"channel": "presence-room"})
        assert await ann.received() == []
        await bob_again.ws.close()
        assert [each["data"] for each in await ann.received()] == ['{"user_id":"8"}']
        assert await call(ports[0], "GET", "channels/presence-room/users") == (200, {"users": [{"id": "7"}]})
        assert await call(ports[0], "GET", "channels/presence-room", info="user_count") == (
            200,
            {"occupied": True, "user_count": 1},
        )


async def test_client_events_reach_other_members_as_objects() -> None:
    """The sender receives nothing, and text as data is malformed."""
    async with nodes() as (_, ports, _, client):
        ann, bob = await client(ports[0]), await client(ports[0])
        await ann.join("private-a")
        await bob.join("private-a")
        assert await ann.send("client-typing", channel="private-a", data={"a": 1}, extra=2) == []
        assert await bob.received() == [{"event": "client-typing", "channel": "private-a", "data": {"a": 1}}]
        (error,) = await ann.send("client-typing", channel="private-a", data="text")
        assert "4200" in error["data"]
        assert await ann.send("anything", channel="private-a") == []


async def test_a_cache_channel_sends_its_last_event_to_a_new_subscriber() -> None:
    """Before the first event it sends a cache miss."""
    async with nodes() as (_, ports, _, client):
        ann, bob = await client(ports[0]), await client(ports[0])
        assert [each["event"] for each in await ann.join("cache-c")] == [
            "pusher_internal:subscription_succeeded",
            "pusher:cache_miss",
        ]
        await call(ports[0], "POST", "events", {"name": "e", "data": "{}", "channel": "cache-c"})
        assert (await bob.join("cache-c"))[-1] == {"event": "e", "data": "{}", "channel": "cache-c"}


async def test_a_silent_subscriber_is_pruned_and_a_socket_without_channels_is_not() -> None:
    """A socket without a subscription is neither pinged, pruned nor counted."""
    async with nodes(setup=Setup(tick_s=0.2, ping_interval_s=0.1)) as (reverbs, ports, _, client):
        silent, without_channels = await client(ports[0]), await client(ports[0])
        await silent.join("topic")
        seen = await silent.received(within_s=1.0)
        assert [each["event"] for each in seen] == ["pusher:ping", "pusher:error", "closed"] or [
            each["event"] for each in seen
        ][:2] == ["pusher:ping", "pusher:error"]
        assert "4201" in seen[1]["data"]
        assert await without_channels.received() == []
        assert await call(ports[0], "GET", "connections") == (200, {"connections": 0})
        assert len(reverbs[0].sockets) == 1


async def test_with_scaling_every_node_delivers_and_presence_is_per_node() -> None:
    """A broadcast goes through the bus to its own node too; a deaf node delivers nothing."""
    async with nodes(2) as (reverbs, ports, bus, client):
        here, there = await client(ports[0]), await client(ports[1])
        await here.join("private-a")
        await there.join("private-a")
        event = {"name": "e", "data": "{}", "channel": "private-a"}
        await call(ports[0], "POST", "events", event)
        assert [len(await each.received()) for each in (here, there)] == [1, 1]
        reverbs[1].faults.is_deaf = True
        await call(ports[0], "POST", "events", event)
        assert [len(await each.received()) for each in (here, there)] == [1, 0]
        assert bus is not None
        bus.go_down()
        assert await call(ports[0], "POST", "events", event) == (200, {}), "the API lies while Redis is away"
        assert await here.received() == []
        bus.come_back()
        await asyncio.sleep(0.4)
        assert not any(each.is_dead for each in reverbs)


async def test_nodes_exit_after_a_lost_redis_and_after_garbage_on_it() -> None:
    """They exit with code 0 and log nothing."""
    async with nodes(2) as (reverbs, _, bus, _):
        assert bus is not None
        bus.go_down()
        await asyncio.sleep(0.6)
        assert all(each.is_dead for each in reverbs)
    async with nodes(2) as (reverbs, _, bus, _):
        assert bus is not None
        await bus.receive_garbage()
        assert all(each.is_dead for each in reverbs)


async def test_terminating_a_user_beside_sockets_without_id_stops_every_node() -> None:
    """No probe makes this call."""
    async with nodes(2) as (reverbs, ports, _, client):
        one = await client(ports[0])
        await one.join("private-a")
        with suppress(aiohttp.ClientError):
            await call(ports[0], "POST", "users/7/terminate_connections")
        assert all(each.is_dead for each in reverbs)


@pytest.mark.parametrize(
    ("origin", "allowed", "is_allowed"),
    [
        ("https://app.example.com:8443", "app.example.com", True),
        ("https://app.example.com", "https://app.example.com", False),
        ("https://www.example.com", "*.example.com", True),
        ("https://example.com", "*.example.com", False),
        ("https://evil.com", "app.example.com", False),
        (None, "app.example.com", False),
        (None, "*", True),
    ],
)
async def test_origins_are_compared_by_host(origin: str | None, allowed: str, *, is_allowed: bool) -> None:
    """An entry with a scheme or a port never matches."""
    async with nodes(setup=Setup(allowed_origins=(allowed,))) as (_, ports, _, _), aiohttp.ClientSession() as session:
        headers = {"Origin": origin} if origin else {}
        ws = await session.ws_connect(f"ws://127.0.0.1:{ports[0]}/app/{KEY}", headers=headers)
        assert ("connection_established" in (await ws.receive()).data) is is_allowed
        await ws.close()


async def test_the_limits_are_inclusive() -> None:
    """A message of 10 000 bytes is accepted, and one of 10 001 closes the socket."""
    async with nodes() as (_, ports, _, client):
        one = await client(ports[0])
        fits = '{"event":"pusher:ping","data":{}}'.ljust(10_000)
        await one.ws.send_str(fits)
        assert [each["event"] for each in await one.received()] == ["pusher:pong"]
        await one.ws.send_str(fits + " ")
        await one.received()
        assert one.ws.close_code == 1009


def test_json_is_written_as_php_writes_it() -> None:
    """Slashes and characters outside ASCII are escaped."""
    assert php_json({"a": "b/ü😀"}) == '{"a":"b\\/\\u00fc\\ud83d\\ude00"}'
