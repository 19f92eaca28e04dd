"""`POST /acks`: the backend says how far the broadcast of a payment got."""

import pytest

from sidecar.core.fold import judging
from tests.e2e.processes import until
from tests.shells.running import event, running

STAGES = ("paid", "dispatched", "delivered", "refreshed")


@pytest.mark.parametrize("stage", STAGES)
async def test_every_stage_is_taken_once(stage: str) -> None:
    """An ack that is sent again, as a backend does after a timeout, is a duplicate."""
    async with running() as sidecar:
        ack = {"stage": stage, "payment_intent": "pi_1", "contexts": ["bookings"], "release": "2026-11-22.1"}
        assert await sidecar.ack(ack) == (200, {"result": "accepted"})
        assert await sidecar.ack(ack) == (200, {"result": "duplicate"})
        await sidecar.metric_is(f'reverb_sidecar_acks_total{{stage="{stage}"}}', 1)


async def test_an_ack_settles_its_payment_whichever_comes_first() -> None:
    """Stripe delivers to the backend and to us in any order."""
    async with running() as sidecar:
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_first"})
        await sidecar.deliver(event("pi_first"))
        await sidecar.deliver(event("pi_second"))
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_second"})
        await sidecar.metric_is('reverb_sidecar_payment_outcomes_total{outcome="on_time"}', 2)


async def test_an_ack_by_user_settles_the_payment_of_that_user() -> None:
    """A backend that does not know the payment names the user, as the metadata of the payment does."""
    async with running() as sidecar:
        await sidecar.ack({"stage": "delivered", "user_id": "someone-else", "contexts": ["bookings"]})
        await sidecar.deliver(event("pi_1", metadata={"user_id": "7", "booking_id": "1"}))
        await sidecar.ack({"stage": "delivered", "user_id": 7, "contexts": ["bookings"]})
        await sidecar.metric_is('reverb_sidecar_payment_outcomes_total{outcome="on_time"}', 1)


async def test_a_payment_without_its_ack_is_late_or_missed() -> None:
    """It is a failure at its deadline; the name comes with the ack, or when it is given up."""
    async with running() as sidecar:
        await sidecar.deliver(event("pi_before"))
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_before"})
        await sidecar.deliver(event("pi_late"))
        await sidecar.deliver(event("pi_missed"))

        async def are_judged() -> bool:
            return bool((await sidecar.status())["indicators"][0]["bad"] == 2)

        await until(are_judged, "both are judged bad")
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_late"})
        await sidecar.metric_is('reverb_sidecar_payment_outcomes_total{outcome="late"}', 1)
        await sidecar.metric_is('reverb_sidecar_payment_outcomes_total{outcome="missed"}', 1)


async def test_a_payment_that_the_backend_rightly_skipped_is_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """`already_paid` and `no_booking` say nothing about push; `failed` is a miss."""
    monkeypatch.setattr(judging, "EXCUSED_AFTER_MS", 0)  # else it waits two minutes for a broadcast
    async with running() as sidecar:
        await sidecar.deliver(event("pi_before"))
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_before"})
        await sidecar.ack({"stage": "skipped", "reason": "no_booking", "payment_intent": "pi_none"})
        await sidecar.ack({"stage": "skipped", "reason": "failed", "payment_intent": "pi_failed"})
        await sidecar.deliver(event("pi_none"))
        await sidecar.deliver(event("pi_failed"))
        await sidecar.metric_is('reverb_sidecar_skipped_payments_total{reason="no_booking"}', 1)
        await sidecar.metric_is('reverb_sidecar_payment_outcomes_total{outcome="missed"}', 1)


async def test_an_idempotency_key_makes_an_ack_by_user_count_once() -> None:
    """Without a payment's name only the sender can say that it is the same broadcast again."""
    async with running() as sidecar:
        ack = {"stage": "delivered", "user_id": 7}
        assert (await sidecar.ack(ack, Idempotency_Key="job-1"))[1]["result"] == "accepted"
        assert (await sidecar.ack(ack, Idempotency_Key="job-1"))[1]["result"] == "duplicate"
        assert (await sidecar.ack(ack, Idempotency_Key="job-2"))[1]["result"] == "accepted"


@pytest.mark.parametrize("contexts", [["bookings"], [], ["bookings", "invoices", "seats"]])
async def test_an_idempotency_key_with_another_ack_is_a_conflict(contexts: list[str]) -> None:
    """To call it a duplicate would drop it in silence; Stripe answers the same."""
    async with running() as sidecar:
        ack = {"stage": "delivered", "user_id": 7, "contexts": ["bookings", "invoices"]}
        again = {**ack, "contexts": ["invoices", "bookings"], "release": "2026-11-22.1"}
        assert (await sidecar.ack(ack, Idempotency_Key="job-1"))[1]["result"] == "accepted"
        assert (await sidecar.ack(again, Idempotency_Key="job-1"))[1]["result"] == "duplicate"
        status, answer = await sidecar.ack({**ack, "contexts": contexts}, Idempotency_Key="job-1")
        assert (status, answer["code"]) == (409, "conflict")
        await sidecar.metric_is('reverb_sidecar_ack_requests_total{result="key_reused"}', 1)


async def test_one_idempotency_key_may_serve_several_stages_and_users() -> None:
    """A job that acks twice under its one id must not lose the ack that decides."""
    async with running() as sidecar:
        for ack in (
            {"stage": "dispatched", "user_id": 7},
            {"stage": "delivered", "user_id": 7},
            {"stage": "delivered", "user_id": 8},
        ):
            assert (await sidecar.ack(ack, Idempotency_Key="job-1"))[1]["result"] == "accepted"
        for user in (9, 10):  # an empty key is none
            ack = {"stage": "delivered", "user_id": user}
            assert (await sidecar.ack(ack, Idempotency_Key=""))[1]["result"] == "accepted"
        forged = {"stage": "delivered", "user_id": 11}
        assert (await sidecar.ack(forged, Idempotency_Key="backend:delivered::bookings:pi_77"))[0] == 200
        named = {"stage": "delivered", "payment_intent": "pi_77", "contexts": ["bookings"]}
        assert (await sidecar.ack(named))[1]["result"] == "accepted"
        status, answer = await sidecar.ack(named | {"payment_intent": "pi_78"}, Idempotency_Key="x" * 201)
        assert (status, "Idempotency-Key" in answer["message"]) == (400, True)


# what is wrong            body                                                             part of the message
REFUSED: list[tuple[str, object, str]] = [
    ("not JSON",           b"stage=paid",                                                   "not JSON"),
    ("not UTF-8",          b'{"stage":"\xff"}',                                             "not JSON in UTF-8"),
    ("an array",           [],                                                              "a JSON object"),
    ("no stage",           {"payment_intent": "pi_1"},                                      "stage (paid"),
    ("an unknown stage",   {"stage": "arrived", "payment_intent": "pi_1"},                  "$.stage"),
    ("an unknown field",   {"stage": "paid", "payment": "pi_1"},                            "wrong or unknown"),
    ("a wrong type",       {"stage": "paid", "payment_intent": 7},                          "$.payment_intent"),
    ("a number too large", b'{"stage":"paid","user_id":99999999999999999999999}',           "$.user_id"),
    ("control characters", {"stage": "paid", "payment_intent": "pi_1\nflag.moved"},         "$.payment_intent"),
    ("a trailing newline", {"stage": "paid", "payment_intent": "pi_1\n"},                   "$.payment_intent"),
    ("a name too long",    {"stage": "paid", "payment_intent": "p" * 256},                  "$.payment_intent"),
    ("nobody named",       {"stage": "paid"},                                               "names no payment"),
    ("skipped, no reason", {"stage": "skipped", "payment_intent": "pi_1"},                  "`reason` is required"),
    ("reason, not skipped", {"stage": "paid", "payment_intent": "pi_1", "reason": "failed"}, "`reason` is required"),
    ("skipped by user",    {"stage": "skipped", "user_id": "7", "reason": "failed"},        "names no payment"),
    ("deep nesting",       b'{"contexts":' + b"[" * 9999,                                   "wrong or unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "body", "message"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_an_ack_that_makes_no_sense_is_refused_with_a_message(case: str, body: object, message: str) -> None:
    """It says where it is wrong and what is allowed, and does not repeat what was sent."""
    async with running() as sidecar:
        status, answer = await sidecar.ack(body)
        assert (status, answer["code"]) == (400, "body_invalid"), case
        assert message in answer["message"]
        assert "flag.moved" not in answer["message"]
        assert await sidecar.metric('reverb_sidecar_ack_requests_total{result="body_invalid"}') == 1


async def test_only_the_backend_may_ack() -> None:
    """Without the token nothing is stored: good reports can be forged as well as bad."""
    async with running() as sidecar:
        ack = {"stage": "delivered", "payment_intent": "pi_1"}
        assert (await sidecar.ack(ack, token="guessed"))[0] == 401
        assert (await sidecar.ack(ack, token=""))[0] == 401
        assert await sidecar.metric('reverb_sidecar_ack_requests_total{result="token_invalid"}') == 2
        assert await sidecar.metric('reverb_sidecar_acks_total{stage="delivered"}') == 0


async def test_an_ack_is_limited_in_size() -> None:
    """16 kB hold any ack."""
    async with running() as sidecar:
        status, answer = await sidecar.ack(b" " * 20_000)
        assert (status, answer["code"]) == (413, "body_too_large")
