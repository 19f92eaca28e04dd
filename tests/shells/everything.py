"""A real sidecar with all that can be configured, and nobody at the other end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from sidecar.config import OBSERVERS_MAX, Address, Probe, ProbeSecrets, RedisStream, Reverb
from sidecar.core.facts.policy import Stage
from tests.shells.running import CONFIG, SECRETS, Running, event, running

EVERYTHING = msgspec.structs.replace(
    CONFIG,
    listen=msgspec.structs.replace(CONFIG.listen, metrics=Address(host="127.0.0.1", port=0)),
    acks=msgspec.structs.replace(
        CONFIG.acks, stage=Stage.REFRESHED, redis_stream=RedisStream(url="redis://127.0.0.1:1/0")
    ),
    reverb=Reverb(
        url="ws://127.0.0.1:1",
        app_id="1",
        app_key="key",
        origin="http://127.0.0.1",
        auth_endpoint="http://127.0.0.1:1/broadcasting/auth",
        observers=OBSERVERS_MAX,
        probe=Probe(user_id="0"),
    ),
)
"""All that can be configured, with nobody at the other end."""
ALL_SECRETS = msgspec.structs.replace(
    SECRETS,
    browser=("a-secret-for-browsers-0123456789abcdef",),
    probe=ProbeSecrets(app_secret="app-secret", token="probe-token-0123456789"),
)


@asynccontextmanager
async def everything() -> AsyncIterator[Running]:
    """Run a sidecar with all that can be configured, until it has a policy and one payment that is decided."""
    async with running(EVERYTHING, ALL_SECRETS) as it:
        await it.deliver(event("pi_1"))
        await it.ack({"stage": "refreshed", "payment_intent": "pi_1"})
        await it.metric_is('reverb_sidecar_payment_outcomes_total{outcome="unmeasured"}', 1)
        yield it
