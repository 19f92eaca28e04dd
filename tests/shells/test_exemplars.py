"""Exemplars: a point of the latency's heat map leads to one payment's log line, and names nobody."""

import re

import msgspec
import pytest
import structlog
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Exemplar

from sidecar.core.fold.conclusions import PaymentSettled
from sidecar.core.fold.judging import latency_edges_ms
from sidecar.metrics import Exemplars
from sidecar.tokens import payment_ref
from tests.core.world import LAX, World
from tests.shells.running import SECRETS, Running, event, running

OPEN = {"Accept": "application/openmetrics-text;version=1.0.0"}


async def exemplars(sidecar: Running) -> dict[str, Exemplar]:
    """Return the exemplars of a scrape, by the upper edge of their bucket."""
    async with sidecar.session.get(sidecar.urls.metrics, headers=OPEN) as response:
        text = await response.text()
    families = {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    samples = families["reverb_sidecar_webhook_to_broadcast_seconds"].samples
    assert not any(
        sample.exemplar for family in families.values() for sample in family.samples if sample not in samples
    )
    return {sample.labels["le"]: sample.exemplar for sample in samples if sample.exemplar is not None}


async def test_a_payments_reference_stands_in_its_bucket_and_in_its_log_line() -> None:
    """The one leads to the other, and in Prometheus' text format there is none."""
    with structlog.testing.capture_logs() as lines:
        async with running() as sidecar:
            await sidecar.ack({"stage": "delivered", "payment_intent": "pi_before"})
            await sidecar.deliver(event("pi_1"))
            await sidecar.ack({"stage": "delivered", "payment_intent": "pi_1"})
            await sidecar.metric_is('reverb_sidecar_payment_outcomes_total{outcome="on_time"}', 1)
            found = await exemplars(sidecar)
            assert "payment_ref" not in await sidecar.metrics()
    (settled,) = (line for line in lines if line["event"] == "payment.settled")
    ((edge, exemplar),) = found.items()
    assert exemplar.labels == {"payment_ref": settled["payment_ref"]}
    assert settled["payment_ref"] == payment_ref(str(SECRETS.identity_key), "pi_1")
    assert exemplar.value == settled["delivered_ms"] / 1000 < float(edge)
    assert float(exemplar.timestamp or 0) == settled["at_ms"] / 1000


async def test_without_an_identity_key_a_process_makes_one_up() -> None:
    """References then lead nowhere after a restart, and still name nobody."""
    refs = []
    for _ in range(2):
        async with running(secrets=msgspec.structs.replace(SECRETS, identity_key=None)) as sidecar:
            await sidecar.ack({"stage": "delivered", "payment_intent": "pi_before"})
            await sidecar.deliver(event("pi_1", metadata={"booking_id": "42"}))
            await sidecar.ack({"stage": "delivered", "payment_intent": "pi_1"})
            await sidecar.metric_is('reverb_sidecar_payment_outcomes_total{outcome="on_time"}', 1)
            (exemplar,) = (await exemplars(sidecar)).values()
            refs.append(exemplar.labels["payment_ref"])
    assert len(set(refs)) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", ref) for ref in refs)


@pytest.mark.parametrize(
    ("after_ms", "bucket"), [(0, 0), (49, 0), (50, 1), (1999, 5), (2000, 6), (29_999, 8), (30_000, None), (None, None)]
)
def test_a_payment_is_in_the_bucket_that_counted_it(after_ms: int | None, bucket: int | None) -> None:
    """Below an edge and at it, one millisecond apart; a broadcast that came too late to be waited for is in none."""
    world = World(LAX)
    exemplars = Exemplars(world.state, lambda name: f"ref of {name}")
    world.wire()
    edges_ms = latency_edges_ms(LAX)
    name = world.pay()
    if after_ms is not None:
        world.wait(after_ms)
        world.ack(name)
    world.wait(40_000)
    for record in world.records:
        exemplars.folded(record, [each for each in world.conclusions if isinstance(each, PaymentSettled)])
    found = {number: each.labels["payment_ref"] for number, each in exemplars.last(edges_ms).items()}
    counts = world.state.tally.latency.counts
    grown = [number for number, count in enumerate(counts) if count]
    assert found == ({} if bucket is None else {bucket: f"ref of {name}"})
    assert grown == ([] if bucket is None else [bucket])


def test_other_edges_have_no_exemplars_of_the_old_ones() -> None:
    """A policy that moves an objective begins the histogram anew."""
    world = World(LAX)
    exemplars = Exemplars(world.state, str)
    world.wire()
    name = world.pay()
    world.ack(name)
    world.wait(40_000)
    exemplars.folded(world.records[-1], world.conclusions)
    other = msgspec.structs.replace(LAX, on_time_within_ms=1234)
    assert exemplars.last(latency_edges_ms(LAX))
    assert exemplars.last(latency_edges_ms(other)) == {}
