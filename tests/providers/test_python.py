"""`openfeature-provider-ofrep` in Python: it asks anew for every evaluation, and keeps nothing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason

from sidecar.http.rate_limits import LIMITS
from tests.providers import PUSH, TIMERS, world
from tests.shells.flag_proxy import proxy

FLAG, MODE = "payment-refresh", "payment-refresh-mode"
DEFAULT = {"mode": TIMERS}
U1 = EvaluationContext("u1")
CHECKED = EvaluationContext("u1", {"checksLease": True})

Details = FlagEvaluationDetails[Any]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Forget the provider: the SDK has one for the process."""
    yield
    api.shutdown()
    api.clear_providers()


class Service:
    """A Python service that reads the flag as the SDK's documentation shows."""

    def __init__(self, base_url: str) -> None:
        self.provider = OFREPProvider(base_url)
        api.set_provider(self.provider)
        self._client: OpenFeatureClient = api.get_client()

    async def whole(self, context: EvaluationContext | None = U1) -> Details:
        """Evaluate the object flag."""
        return await asyncio.to_thread(self._client.get_object_details, FLAG, DEFAULT, context)

    async def plain(self, context: EvaluationContext | None = U1) -> Details:
        """Evaluate the plain string."""
        return await asyncio.to_thread(self._client.get_string_details, MODE, TIMERS, context)

    def close(self) -> None:
        """Drop the connections."""
        self.provider.session.close()


def value(details: Details) -> tuple[object, str | Reason | None, ErrorCode | None]:
    """Return mode, reason and error."""
    reported = details.value["mode"] if isinstance(details.value, dict) else details.value
    return reported, details.reason, details.error_code


async def test_it_follows_every_change_and_an_outage_is_the_codes_default(tmp_path: Path) -> None:
    """Each evaluation is a request: so it needs no lease, and while the sidecar is away it is on the safe side."""
    async with world(tmp_path) as it:
        service = Service(it.sidecar.public + "/")
        assert value(await service.whole()) == (TIMERS, Reason.STATIC, None)
        await it.climb()
        details = await service.whole()
        assert value(details) == (PUSH, Reason.STATIC, None)
        assert (details.variant, details.flag_metadata["environment"]) == (PUSH, "end-to-end")
        assert value(await service.plain()) == (TIMERS, Reason.STATIC, None)
        assert value(await service.plain(CHECKED)) == (PUSH, Reason.TARGETING_MATCH, None)
        it.sidecar.kill()
        assert value(await service.whole()) == (TIMERS, Reason.ERROR, ErrorCode.GENERAL)
        assert value(await service.plain(CHECKED)) == (TIMERS, Reason.ERROR, ErrorCode.GENERAL)
        it.sidecar.start()
        await it.sidecar.ready(it.session)
        await it.serves(PUSH)
        assert value(await service.whole()) == (PUSH, Reason.STATIC, None)
        await it.roll_back()
        await it.serves(TIMERS)
        assert value(await service.whole()) == (TIMERS, Reason.STATIC, None)
        service.close()


async def test_a_service_without_any_context_is_answered() -> None:
    """The provider then sends an empty context, or none."""
    async with proxy(1) as it:
        service = Service(it.url)
        for context in (None, EvaluationContext()):
            details = await service.whole(context)
            assert value(details) == (TIMERS, Reason.STATIC, None)
            assert details.flag_metadata["why"] == "no_targeting_key"
        service.close()


async def test_what_is_switched_off_is_a_value_and_no_error() -> None:
    """Its reason is one that the provider knows: another would be taken for an error."""
    async with proxy() as it:
        it.world.bad(6)
        service = Service(it.url)
        assert value(await service.whole()) == (TIMERS, Reason.DISABLED, None)
        service.close()


async def test_errors_reach_the_service_by_their_own_names() -> None:
    """Codes and details are there, so that nothing is called GENERAL that is not."""
    async with proxy() as it:
        service = Service(it.url)
        details = await service.whole(EvaluationContext("u" * 257))
        assert value(details) == (TIMERS, Reason.ERROR, ErrorCode.INVALID_CONTEXT)
        assert "256" in str(details.error_message)
        client = api.get_client()
        unknown = await asyncio.to_thread(client.get_string_details, "payment-refesh", TIMERS, U1)
        assert (unknown.value, unknown.error_code) == (TIMERS, ErrorCode.FLAG_NOT_FOUND)
        service.close()


async def test_who_asks_too_often_stays_away_until_it_may_come_again() -> None:
    """`Retry-After` is understood: no request goes out meanwhile."""
    limits = {name: msgspec.structs.replace(limit, per_s=0) for name, limit in LIMITS.items()}
    async with proxy(limits=limits) as it:
        service = Service(it.url)
        assert value(await service.whole()) == (TIMERS, Reason.ERROR, ErrorCode.GENERAL)
        assert service.provider.retry_after is not None
        before = sum(it.listener.refused_requests().values())
        assert value(await service.whole()) == (TIMERS, Reason.ERROR, ErrorCode.GENERAL)
        assert sum(it.listener.refused_requests().values()) == before
        service.close()
