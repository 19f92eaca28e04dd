"""Overrides over HTTP: the action, its limits, and the answers of the flag and of OFREP."""

import asyncio
from typing import Any

import msgspec
import pytest

from sidecar.core.fold.overrides import OVERRIDES_MAX
from sidecar.tokens import user_ref
from tests.shells.running import SECRETS, Running, event, running
from tests.shells.test_flag import EASY
from tests.shells.test_operator import WHY

OVERRIDE = {**WHY, "user": "7", "mode": "push_only", "lasts_ms": 3_600_000}
FLAG = "/flags/payment-refresh"
MODE = "/ofrep/v1/evaluate/flags/payment-refresh-mode"


async def _flag(sidecar: Running, user: str) -> dict[str, Any]:
    async with sidecar.session.get(f"{sidecar.urls.public}{FLAG}", params={"targeting_key": user}) as answer:
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
    return found


async def test_the_flag_and_ofrep_answer_the_chosen_mode_with_its_reason() -> None:
    """To this user alone; a client that does not check the lease keeps its timers."""
    async with running(EASY) as sidecar:
        before = await _flag(sidecar, "8")
        status, done = await sidecar.act("override", OVERRIDE)
        assert (status, done["actor"]) == (200, "ada")
        assert "push_only for the user " in done["message"]
        mine = await _flag(sidecar, "7")
        assert (mine["mode"], mine["reason"]) == ("push_only", "override")
        assert await _flag(sidecar, "8") == before
        for checks_lease, value, reason, why in (
            (True, "push_only", "TARGETING_MATCH", "override"),
            (False, "timer_polling", "STATIC", "lease_unchecked"),
        ):
            context = {"targetingKey": "7", "checksLease": checks_lease}
            url = f"{sidecar.urls.public}{MODE}"
            async with sidecar.session.post(url, json={"context": context}) as answer:
                body = await answer.json()
            assert (body["value"], body["reason"], body["metadata"]["why"]) == (value, reason, why)
        (listed,) = (await sidecar.status())["overrides"]
        reference = user_ref(str(SECRETS.identity_key), "7")
        assert (listed["user_ref"], listed["mode"], listed["actor"]) == (reference, "push_only", "ada")


async def test_the_record_has_the_hash_of_the_user_and_not_the_id() -> None:
    """A journal is kept for ever, and it names nobody."""
    async with running(EASY) as sidecar:
        await sidecar.act("override", {**OVERRIDE, "user": "user-of-the-test"})
        await sidecar.act("clear_override", {**WHY, "user": "user-of-the-test"})
        async with sidecar.session.get(f"{sidecar.urls.operator}/api/decisions") as answer:
            text = await answer.text()
        assert "user-of-the-test" not in text + str(await sidecar.status())
        cleared, overridden, *_ = msgspec.json.decode(text)["entries"]
        assert (overridden["what"], cleared["what"]) == ("overridden", "override_cleared")
        assert (overridden["mode"], cleared["override"]) == ("push_only", overridden["seq"])


async def test_an_open_stream_is_sent_the_change_at_once() -> None:
    """A tester does not reload the page; the end is sent too."""
    async with running(EASY) as sidecar:
        url = f"{sidecar.urls.public}{FLAG}/stream?targeting_key=7"
        async with sidecar.session.get(url) as stream:

            async def mode_is(mode: str) -> None:
                async with asyncio.timeout(30):
                    while f'"mode":"{mode}"'.encode() not in await stream.content.readuntil(b"\n\n"):
                        pass

            await mode_is("timer_polling")
            await sidecar.act("override", OVERRIDE)
            await mode_is("push_only")
            await sidecar.act("override", {**OVERRIDE, "lasts_ms": 1000})
            await mode_is("timer_polling")


async def test_a_payment_of_the_user_is_left_out() -> None:
    """By the id in Stripe's metadata, which is the targeting key."""
    async with running(EASY) as sidecar:
        await sidecar.act("override", OVERRIDE)
        await sidecar.deliver(event("pi_of_a_test"))
        await sidecar.deliver(event("pi_of_another", metadata={"user_id": "8", "booking_id": "1"}))
        await sidecar.metric_is('reverb_sidecar_ignored_payments_total{reason="override"}', 1)
        async with sidecar.session.get(f"{sidecar.urls.operator}/api/payments/pi_of_a_test") as answer:
            assert answer.status == 200
            text = (await answer.json())["text"]
        assert text == "No outcome: its payer has an override, or had one in the ten minutes before."


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"lasts_ms": 999}, 400, "1 s to 24 h"),
        ({"lasts_ms": 86_400_001}, 400, "1 s to 24 h"),
        ({"user": ""}, 400, '"user": "7"'),
        ({"user": "x" * 257}, 400, '"user": "7"'),
        ({"mode": "push"}, 400, '"mode": "push_only"'),
        ({"reason": " "}, 400, "with a letter"),
    ],
)
async def test_an_invalid_override_is_refused(change: dict[str, Any], status: int, message: str) -> None:
    """The answer says what is allowed."""
    async with running(EASY) as sidecar:
        answered, body = await sidecar.act("override", {**OVERRIDE, **change})
        assert (answered, message in body["message"]) == (status, True), body


async def test_the_number_is_limited_and_an_unknown_one_cannot_be_cleared() -> None:
    """One of the same user takes the place of the other."""
    async with running(EASY) as sidecar:
        assert (await sidecar.act("clear_override", {**WHY, "user": "7"}))[0] == 409
        assert (await sidecar.act("clear_override", WHY))[0] == 400
        for number in range(OVERRIDES_MAX):
            assert (await sidecar.act("override", {**OVERRIDE, "user": str(number)}))[0] == 200
        status, body = await sidecar.act("override", {**OVERRIDE, "user": "one more"})
        assert (status, body["code"]) == (400, "body_invalid")
        status, body = await sidecar.act("override", {**OVERRIDE, "user": "one-more"})
        assert (status, "there are 20 overrides" in body["message"]) == (409, True)
        assert (await sidecar.act("override", {**OVERRIDE, "user": "3"}))[0] == 200
        (first, *_) = (await sidecar.status())["overrides"]
        assert (await sidecar.act("clear_override", {**WHY, "override": first["id"]}))[0] == 200
        assert first["id"] not in [each["id"] for each in (await sidecar.status())["overrides"]]


async def test_without_an_identity_key_an_override_is_refused() -> None:
    """The user's payments could not be recognised."""
    async with running(EASY, msgspec.structs.replace(SECRETS, identity_key=None)) as sidecar:
        status, body = await sidecar.act("override", OVERRIDE)
        assert (status, "SIDECAR_IDENTITY_KEY" in body["message"]) == (409, True)
