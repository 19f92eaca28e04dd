"""A user's own channel is watched for as long as a signed token is valid; the number of watches is bounded."""

import asyncio
import base64
from typing import Any

import jwt
import msgspec
import pytest

from sidecar import clock
from sidecar.ports import ErrorCode, SidecarError
from sidecar.probes.watches import Watches
from sidecar.tokens import BrowserTokens
from tests.probes.test_probing import Watched, ok, watched
from tests.shells.running import event
from tests.waiting import HANGS_AFTER_S

SECRET = "browser-secret-for-the-tests-0123456789"


def token(user_id: str = "7", *, lasts_s: float = 60, secret: str = SECRET, **claims: Any) -> str:
    """Return a token as the app signs it."""
    content = {"sub": user_id, "aud": "reverb-sidecar", "exp": int(clock.wall_ms() / 1000 + lasts_s), **claims}
    return jwt.encode({key: value for key, value in content.items() if value is not None}, secret, algorithm="HS256")


async def request_watch(it: Watched, body: object) -> tuple[int, dict[str, str]]:
    """Request a watch as a page does; return status and headers."""
    async with it.sidecar.session.post(f"{it.sidecar.urls.public}/watches", data=msgspec.json.encode(body)) as response:
        return response.status, dict(response.headers)


async def broadcast_to_user_only(it: Watched, user_id: str) -> None:
    """Broadcast only on the user's channel, without a payment's name, as an unchanged backend does."""
    await it.broadcast("", user_id, channels=[f"private-live-refresh.{user_id}"], data={"contexts": ["bookings"]})


async def test_a_watched_users_payment_is_measured_without_a_change_in_the_app() -> None:
    """A broadcast to a user who is not watched is not measured."""
    async with watched(browser_secrets=(SECRET,)) as it:
        await it.at_least(ok("trip"), 1)
        status, headers = await request_watch(it, {"token": token("7")})
        assert (status, headers["Access-Control-Allow-Origin"]) == (204, "*")
        await broadcast_to_user_only(it, "7")
        await it.at_least('acks_total{stage="delivered"}', 1)
        await it.sidecar.deliver(event("pi_watched"))
        await broadcast_to_user_only(it, "7")
        await it.metric_is('payment_outcomes_total{outcome="on_time"}', 1)
        other = event("pi_unwatched", metadata={"user_id": "8", "booking_id": "1"})
        await it.sidecar.deliver(other)
        await broadcast_to_user_only(it, "8")
        await it.metric_is('unmeasured_payments_total{reason="not_watched"}', 1)


async def test_a_watch_ends_with_its_token() -> None:
    """A user who logged out is not watched any longer."""
    async with watched(browser_secrets=(SECRET,)) as it:
        await it.at_least(ok("trip"), 1)
        assert (await request_watch(it, {"token": token("7", lasts_s=1.5)}))[0] == 204
        node = it.nodes[0]
        assert any("private-live-refresh.7" in name for name in node.channels.names())
        async with asyncio.timeout(HANGS_AFTER_S):
            while "private-live-refresh.7" in node.channels.names():  # noqa: ASYNC110 - another server's state
                await asyncio.sleep(0.05)


def unsigned() -> str:
    """Return a token with the algorithm `none`."""
    parts = [{"alg": "none", "typ": "JWT"}, {"sub": "7", "aud": "reverb-sidecar", "exp": 4_000_000_000}]
    return ".".join([*(base64.urlsafe_b64encode(msgspec.json.encode(part)).decode().rstrip("=") for part in parts), ""])


@pytest.mark.parametrize(
    "body",
    [
        {"token": token(secret="x" * 40)},
        {"token": token(lasts_s=-60)},
        {"token": token(aud="another")},
        {"token": token(exp=None)},
        {"token": token(sub=None)},
        {"token": token("7.private-x")},
        {"token": token("")},
        {"token": unsigned()},
        {"token": "a.b.c"},
        {"token": 7},
        {"tok": "x"},
        [],
    ],
)
async def test_an_invalid_token_is_refused(body: object) -> None:
    """Anyone who could name a channel could fill every socket with subscriptions."""
    async with watched(browser_secrets=(SECRET,)) as it:
        status, _ = await request_watch(it, body)
        assert status in {400, 401}
        assert await it.sidecar.metric('reverb_sidecar_watch_requests_total{result="refused"}') == 1


async def test_without_a_secret_the_route_does_not_exist() -> None:
    """There is no secret with which a token could be verified."""
    async with watched() as it:
        assert (await request_watch(it, {"token": token()}))[0] == 404


async def test_a_partly_refused_channel_is_left_by_the_other_sockets() -> None:
    """Without that, the sockets would stay subscribed until they are replaced."""
    async with watched(nodes=2, browser_secrets=(SECRET,)) as it:
        await it.at_least(ok("trip"), 1)
        it.nodes[1].sockets.faults.is_mute = True
        assert (await request_watch(it, {"token": token("7")}))[0] == 503
        assert await it.sidecar.metric('reverb_sidecar_watch_requests_total{result="not_joined"}') == 1
        async with asyncio.timeout(HANGS_AFTER_S):
            while any("private-live-refresh.7" in node.channels.names() for node in it.nodes):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_a_token_that_expires_before_the_subscription_is_refused() -> None:
    """The token is about to expire and Reverb is slow: the response is an error of the API, and not a crash."""
    async with watched(browser_secrets=(SECRET,)) as it:
        await it.at_least(ok("trip"), 1)
        it.nodes[0].sockets.faults.is_mute = True
        assert (await request_watch(it, {"token": token("7", lasts_s=-5)}))[0] == 503
        assert await it.sidecar.metric('reverb_sidecar_watch_requests_total{result="not_joined"}') == 1


class Silent:
    """Sockets that subscribe at once."""

    async def watch(self, channel: str, *, within_s: float) -> bool:
        """Subscribe at once."""
        return bool(channel and within_s)

    async def leave(self, channel: str) -> None:
        """Unsubscribe at once."""


async def test_a_watch_that_was_not_journalled_can_be_requested_again() -> None:
    """The fold has no record of it, so the user's payments would stay unmeasured."""
    kept: list[Any] = []
    is_full = [True]

    class Journal:
        async def append(self, fact: Any) -> None:
            if is_full[0]:
                raise SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, "the disk is full")
            kept.append(fact)

    open_deliveries: Any = type("OpenDeliveries", (), {"watch": lambda *_: None, "leave": lambda *_: None})()
    journal: Any = Journal()
    sockets: Any = Silent()
    watches = Watches(
        sockets,
        open_deliveries,
        journal,
        tokens=BrowserTokens((SECRET,), "test"),
        identity_key="k" * 32,
        channel="private-live-refresh.{user_id}",
        replica="a",
    )
    with pytest.raises(SidecarError):
        await watches._watch("7", 60)
    is_full[0] = False
    await watches._watch("7", 60)
    assert [fact.is_on for fact in kept] == [True]
