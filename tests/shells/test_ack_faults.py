"""Acks that count for no payment: the reason is in the answer, in the status, and in a metric."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from sidecar.config import Config
from sidecar.probes.ack_faults import NAMES_MAX, UNCONFIRMED_FROM, AckFault
from tests.e2e.processes import until
from tests.shells.browser_reports import SECRET, send, token
from tests.shells.running import CONFIG, SECRETS, Running, event, running
from tests.shells.test_reports import reported

METRIC = "reverb_sidecar_mismatched_acks_total"


async def said(sidecar: Running, words: str) -> str:
    """Wait until a warning of the status has these words, and return it."""

    async def is_said() -> str:
        return next((each for each in (await sidecar.status())["warnings"] if words in each), "")

    return str(await until(is_said, f"the status says: {words}"))


async def has_arrived(sidecar: Running, reason: str) -> None:
    """Wait until a payment outside the filter is folded."""
    await sidecar.metric_is(f'reverb_sidecar_ignored_payments_total{{reason="{reason}"}}', 1)


@asynccontextmanager
async def a_sidecar(config: Config = CONFIG) -> AsyncIterator[Running]:
    """Run a sidecar that takes browsers' reports too."""
    async with running(config, msgspec.structs.replace(SECRETS, browser=(SECRET,))) as sidecar:
        yield sidecar


async def test_six_acks_for_another_context_are_named() -> None:
    """The contexts that came, and those that are configured."""
    async with a_sidecar() as sidecar:
        for number in range(6):
            ack = {"stage": "delivered", "payment_intent": f"pi_{number}", "contexts": ["booking"]}
            status, answer = await sidecar.ack(ack)
            assert (status, answer["result"], answer["counts"]) == (200, "accepted", False)
            assert (answer["fault"], "came for context `booking`; configured is `bookings`" in answer["message"]) == (
                "other_context",
                True,
            )
        await sidecar.metric_is(f'{METRIC}{{reason="other_context"}}', 6)
        assert "6 acks came for context `booking`; configured is `bookings`" in await said(sidecar, "came for context")


@pytest.mark.parametrize(
    ("fields", "reason", "fault", "words"),
    [
        ({"livemode": False}, "other_livemode", AckFault.OTHER_LIVEMODE, "configured is to judge live payments"),
        ({"metadata": {}}, "missing_metadata", AckFault.OUTSIDE_FILTER, "configured is `booking_id`"),
    ],
)
async def test_acks_for_payments_that_are_not_judged_are_named(
    fields: dict[str, object], reason: str, fault: AckFault, words: str
) -> None:
    """Of the other livemode, or outside the filter: also where the ack came before the webhook."""
    async with a_sidecar() as sidecar:
        early = {"stage": "delivered", "payment_intent": "pi_0", "contexts": ["bookings"]}
        assert "counts" not in (await sidecar.ack(early))[1], "its payment may still come"
        await sidecar.deliver(event("pi_0", **fields))
        await sidecar.metric_is(f'{METRIC}{{reason="{fault}"}}', 1)
        answer = (await sidecar.ack({**early, "stage": "refreshed"}))[1]
        assert (answer["fault"], words in answer["message"]) == (fault, True)
        await sidecar.metric_is(f'{METRIC}{{reason="{fault}"}}', 2)
        await has_arrived(sidecar, reason)
        assert words in await said(sidecar, words)


async def test_an_ack_for_a_user_without_a_payment_is_named() -> None:
    """The user id of the backend is probably not that of the metadata."""
    async with a_sidecar() as sidecar:
        answer = (await sidecar.ack({"stage": "delivered", "user_id": "8"}))[1]
        assert (answer["fault"], "`stripe.user_key` (user_id)" in answer["message"]) == ("unknown_user", True)
        await sidecar.metric_is(f'{METRIC}{{reason="unknown_user"}}', 1)
        await said(sidecar, "a user who has no open one")


async def test_acks_that_match_are_blamed_for_nothing() -> None:
    """By name before and after the webhook, without contexts, by user, and in another stage."""
    async with a_sidecar() as sidecar:
        for ack in (
            {"stage": "paid", "payment_intent": "pi_1"},
            {"stage": "delivered", "payment_intent": "pi_1", "contexts": ["x", "bookings"]},
        ):
            assert (await sidecar.ack(ack))[1] == {"result": "accepted"}
        await sidecar.deliver(event("pi_2"))
        assert (await sidecar.ack({"stage": "delivered", "user_id": "7"}))[1] == {"result": "accepted"}
        await sidecar.metric_is('reverb_sidecar_acks_total{stage="delivered"}', 2)
        assert [
            line for line in (await sidecar.metrics()).splitlines() if METRIC in line and line.endswith("1.0")
        ] == []


async def test_while_other_acks_match_the_status_is_silent_until_twenty_in_a_row_do_not() -> None:
    """A backend also refreshes what is no payment; a release may rename a context."""
    async with a_sidecar() as sidecar:
        await sidecar.deliver(event("pi_1"))
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_1", "contexts": ["bookings"]})
        for number in range(UNCONFIRMED_FROM):
            await sidecar.metric_is(f'{METRIC}{{reason="other_context"}}', number)
            assert not [each for each in (await sidecar.status())["warnings"] if "came for context" in each]
            await sidecar.ack({"stage": "delivered", "payment_intent": "pi_1", "contexts": [f"c{number}"]})
        assert (await sidecar.status())["mismatched_acks"]["other_context"] >= number, "the count is there at any time"
        await said(sidecar, "came for contexts")


async def test_the_names_of_contexts_are_bounded() -> None:
    """The backend chooses them; no metric has one as a label."""
    async with a_sidecar() as sidecar:
        for number in range(NAMES_MAX + 5):
            await sidecar.ack({"stage": "delivered", "payment_intent": "pi_1", "contexts": [f"c{number}"]})
        await sidecar.metric_is(f'{METRIC}{{reason="other_context"}}', NAMES_MAX + 5)
        assert (await said(sidecar, "came for contexts")).count("`c") <= 3 + len("`acks.contexts`")
        assert "c24" not in await sidecar.metrics()


async def test_browser_reports_for_another_audience_are_named_until_one_is_accepted() -> None:
    """In the answer, in the status and in the metric; a forged signature is not among them."""
    async with a_sidecar() as sidecar:
        for _ in range(2):
            status, body, _ = await send(sidecar, reported(token=token(aud="another-service")))
            assert (status, b"its `aud` is not reverb-sidecar" in body) == (401, True)
        await send(sidecar, reported(token=token(aud="another-service", secret="forged-secret-0123456789-0123456789")))
        assert await sidecar.metric('reverb_sidecar_browser_reports_total{result="token_audience"}') == 2
        assert (await said(sidecar, "browser reports were refused")).startswith("2 browser reports were refused")
        assert (await send(sidecar, reported()))[0] == 204
        assert not [each for each in (await sidecar.status())["warnings"] if "browser report" in each]
