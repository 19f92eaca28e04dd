"""`POST /stripe/webhook`: what is taken, what is left out and why, and what is refused with a message."""

import asyncio
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sidecar.composition import PARTS
from sidecar.config import Objective
from sidecar.probes.stripe_webhook import BODY_BYTES_MAX, SIGNATURES_MAX, STAMP_WITHIN_S
from sidecar.probes.webhook_sources import REFUSED_AT_ONCE
from tests.e2e.processes import WEBHOOK_SECRET
from tests.hands import hands
from tests.shells.running import CONFIG, OLD_SECRET, event, running, sign
from tests.shells.test_proxy import say

THIN = {
    "id": "evt_thin",
    "object": "v2.core.event",
    "type": "v1.payment_intent.succeeded",
    "livemode": True,
    "created": "2026-11-22T16:05:10.123Z",
    "related_object": {"id": "pi_thin", "type": "payment_intent", "url": "/v1/payment_intents/pi_thin"},
}

# what is special                what is delivered                                                  result
TAKEN: list[tuple[str, dict[str, Any], str]] = [
    ("a payment that is ours",   event(),                                                           "accepted"),
    ("a Connect event",          event(account="acct_1"),                                           "accepted"),
    ("no user in the metadata",  event(metadata={"booking_id": "1"}),                               "accepted"),
    ("the other livemode",       event(livemode=False),                                             "other_livemode"),
    ("missing metadata",         event(metadata={"user_id": "7"}),                                  "missing_metadata"),
    ("no metadata at all",       event(metadata=None),                                              "missing_metadata"),
    ("another type",             event(type="payment_intent.payment_failed"),                       "other_type"),
    ("another type's object",    event(type="charge.succeeded", data={"object": {"id": 7}}),        "other_type"),
    ("a thin event",             THIN,                                                              "thin_event"),
    ("a thin event of a charge", {**THIN, "type": "v1.charge.succeeded"},                           "thin_event"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "delivered", "result"), TAKEN, ids=[row[0] for row in TAKEN])
async def test_whatever_stripe_signed_is_answered_200_and_named(
    case: str, delivered: dict[str, Any], result: str
) -> None:
    """A signed event gets its 2xx, because Stripe's trying again would change nothing; the result says what it was."""
    async with running() as sidecar:
        assert await sidecar.deliver(delivered) == (200, {"received": True, "result": result}), case
        assert await sidecar.metric(f'reverb_sidecar_webhook_requests_total{{result="{result}"}}') == 1


async def test_a_webhook_that_a_stalled_loop_read_late_is_unmeasured_and_the_next_one_is_judged() -> None:
    """Its ack was read in the same moment, so a slow broadcast would be on time."""
    config = msgspec.structs.replace(CONFIG, objective=Objective(on_time_within_ms=3000, missed_after_ms=9000))
    async with running(config, parts=PARTS) as sidecar:
        assert (await sidecar.deliver(event("pi_1")))[1]["result"] == "accepted"
        await sidecar.ack({"payment_intent": "pi_1", "stage": "delivered", "contexts": ["bookings"]})
        await sidecar.metric_is('reverb_sidecar_payment_outcomes_total{outcome="on_time"}', 1)
        body = msgspec.json.encode(event("pi_2"))
        request = urllib.request.Request(  # noqa: S310 - it is ours
            f"{sidecar.urls.public}/stripe/webhook", body, {"Stripe-Signature": sign(body)}
        )
        delivery = asyncio.create_task(asyncio.to_thread(urllib.request.urlopen, request))
        await asyncio.sleep(0)  # the thread has begun
        time.sleep(1.5)  # noqa: ASYNC251 - the loop is stalled
        assert (await delivery).status == 200
        await sidecar.metric_is('reverb_sidecar_unmeasured_payments_total{reason="read_late"}', 1)


async def test_either_secret_signs_while_one_is_rolled() -> None:
    """Stripe signs with the old and the new secret for up to a day."""
    async with running() as sidecar:
        assert (await sidecar.deliver(event("pi_new"), secret=WEBHOOK_SECRET))[1]["result"] == "accepted"
        assert (await sidecar.deliver(event("pi_old"), secret=OLD_SECRET))[1]["result"] == "accepted"


async def test_the_same_event_again_is_a_duplicate_and_another_event_for_the_payment_a_twin() -> None:
    """Stripe may deliver twice, and may make two Event objects for one fact; neither is a second payment."""
    async with running() as sidecar:
        assert (await sidecar.deliver(event()))[1]["result"] == "accepted"
        assert (await sidecar.deliver(event()))[1]["result"] == "duplicate"
        assert (await sidecar.deliver(event(id="evt_other")))[1]["result"] == "same_payment"
        await sidecar.metric_is('reverb_sidecar_payment_outcomes_total{outcome="unmeasured"}', 1)


async def test_a_payment_that_was_left_out_and_gets_an_ack_proves_the_filter_wrong() -> None:
    """A filter that leaves out payments which are broadcast hides them from the evidence: it is said, and counted."""
    async with running() as sidecar:
        await sidecar.deliver(event("pi_out", metadata={}))
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_out"})
        await sidecar.metric_is("reverb_sidecar_filter_contradictions_total", 1)
        status = await sidecar.status()
        assert (status["judged"], status["succeeded"]) == (0, 1)
        assert any("required_metadata" in warning for warning in status["warnings"])


async def test_thin_events_are_explained_in_the_status() -> None:
    """A destination of the wrong payload style looks healthy in Stripe; the sidecar has to say so."""
    async with running() as sidecar:
        await sidecar.deliver(THIN)
        await sidecar.metric_is('reverb_sidecar_ignored_payments_total{reason="thin_event"}', 1)
        assert any("snapshot destination" in warning for warning in (await sidecar.status())["warnings"])


GOOD = b'{"id":"evt_1","object":"event","type":"payment_intent.succeeded","created":1,"livemode":true}'
NOT_UTF8 = b'{"id":"\xff"}'


def now_s() -> int:
    """Return the present Unix second: a signature that is made when tests are collected is old when they run."""
    return int(time.time())


def replayed(body: bytes) -> str:
    """Return an old signature whose time only Python reads as a number, with a fresh time behind it."""
    old = sign(body, age_s=9_000).replace("t=", "t=+")
    return f"{old},{sign(body).partition(',')[0]}"


# what is wrong                   body       header                                            status  result
REFUSED: list[tuple[str, bytes, str | Callable[[], str], int, str]] = [
    ("no signature",              GOOD,      "",                                               400, "signature_missing"),
    ("no time in the signature",  GOOD,      "v1=00",                                          400, "signature_malformed"),
    ("a time that is no number",  GOOD,      "t=yesterday,v1=00",                              400, "signature_malformed"),
    ("a time without end",        GOOD,      f"t={'9' * 500},v1=00",                           400, "signature_malformed"),
    ("signature not in ASCII",    GOOD,      "t=1,v1=\u00e9",                                  400, "signature_malformed"),
    ("an old time, a new one",    GOOD,      lambda: replayed(GOOD),                                   400, "signature_malformed"),
    ("no v1 signature",           GOOD,      lambda: f"t={now_s()},v0=00",                               400, "signature_wrong"),
    ("another secret",            GOOD,      lambda: sign(GOOD, secret="whsec_of_another_endpoint"),   400, "signature_wrong"),
    ("another body",              GOOD,      lambda: sign(GOOD + b" "),                                400, "signature_wrong"),
    ("a body not in UTF-8",       NOT_UTF8,  lambda: f"t={now_s()},v1=00",                               400, "signature_wrong"),
    ("signed 301 s ago",          GOOD,      lambda: sign(GOOD, age_s=302),                            400, "signature_stale"),
    ("signed far ahead",          GOOD,      lambda: sign(GOOD, age_s=-3600),                          400, "signature_future"),
    ("signed on another day",     GOOD,      "t=1,v1=00",                                      400, "signature_stale"),
    ("nine signatures",           GOOD,      lambda: sign(GOOD) + ",v1=00" * 8,                        400, "signature_malformed"),
    ("not JSON",                  b"hello",  lambda: sign(b"hello"),                                   400, "body_invalid"),
    ("an array",                  b"[]",     lambda: sign(b"[]"),                                      400, "body_invalid"),
    ("no data",                   GOOD,      lambda: sign(GOOD),                                       400, "body_invalid"),
    ("deep nesting",              b"[" * 9999, lambda: sign(b"[" * 9999),                              400, "body_invalid"),
    ("300 kB",                    b" " * 300_000, lambda: f"t={now_s()},v1=00",                                 413, "body_refused"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "body", "header", "status", "result"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_what_stripe_did_not_sign_for_us_is_refused_with_a_message_and_changes_nothing(
    case: str, body: bytes, header: str | Callable[[], str], status: int, result: str
) -> None:
    """A forged, stale or broken delivery is a 4xx with a code and a sentence, is counted, and is not stored."""
    async with running() as sidecar:
        records = await sidecar.metric("reverb_sidecar_journal_records_total")
        sent = header() if callable(header) else header
        got, answer = await sidecar.webhook(body, **({"Stripe_Signature": sent} if sent else {}))
        assert (got, set(answer)) == (status, {"code", "message"}), case
        assert await sidecar.metric(f'reverb_sidecar_webhook_requests_total{{result="{result}"}}') == 1
        assert await sidecar.metric('reverb_sidecar_webhook_requests_total{result="accepted"}') == 0
        beats = await sidecar.metric("reverb_sidecar_journal_records_total") - records
        assert beats <= 3, "only heartbeats were appended"


async def test_a_compressed_body_is_refused() -> None:
    """Stripe does not compress; a gzip bomb must not be unpacked."""
    async with running() as sidecar:
        status, answer = await sidecar.webhook(
            b"\x1f\x8b", Content_Encoding="gzip", Stripe_Signature=f"t={now_s()},v1=00"
        )
        assert (status, answer["code"]) == (415, "encoding_refused")


async def test_a_header_that_cannot_be_valid_is_refused_before_the_body_is_sent() -> None:
    """A forged delivery must cost less than its body: its form and its day are checked first."""
    genuine = sign(b"{}")
    for header in (
        "",
        "v1=00",
        genuine + ",v1=00" * SIGNATURES_MAX,
        genuine.replace("t=", "t=9"),
        sign(b"{}", age_s=STAMP_WITHIN_S + 60),
    ):
        async with running() as sidecar:
            head = (
                f"POST /stripe/webhook HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {BODY_BYTES_MAX}\r\n"
            )
            signature = f"Stripe-Signature: {header}\r\n" if header else ""
            answer = await say(sidecar.urls.public, f"{head}{signature}\r\n{{".encode())
            assert answer.startswith(b"HTTP/1.1 400"), (header, answer)
            assert b'"signature_invalid"' in answer


async def test_eight_signatures_are_compared_and_the_last_may_be_ours() -> None:
    """Stripe sends one for each active secret."""
    body = msgspec.json.encode(event("pi_1"))
    stamp, own = sign(body).split(",")
    others = ["v1=" + "0" * 64] * (SIGNATURES_MAX - 1)
    async with running() as sidecar:
        assert (await sidecar.webhook(body, Stripe_Signature=",".join((stamp, *others, own))))[0] == 200
        assert (await sidecar.webhook(body, Stripe_Signature=",".join((stamp, *others, "v1=00", own))))[0] == 400


async def test_the_largest_event_that_stripe_can_send_is_accepted_and_a_larger_body_is_not() -> None:
    """50 metadata of 500 characters, each of three bytes in JSON's UTF-8 at most, are within the maximum."""
    metadata = {"user_id": "7", "booking_id": "1"} | {f"key_{number:036}": "x" * 500 for number in range(48)}
    async with running() as sidecar:
        assert (await sidecar.deliver(event("pi_1", metadata=metadata)))[0] == 200
        body = b" " * (BODY_BYTES_MAX + 1)
        assert (await sidecar.webhook(body, Stripe_Signature=sign(body)))[0] == 413


async def test_an_address_that_only_forges_is_refused_and_no_other_is() -> None:
    """Behind a proxy the address is the one that the proxy names. Whoever sent what Stripe signed is never refused."""
    config = msgspec.structs.replace(CONFIG, listen=msgspec.structs.replace(CONFIG.listen, proxies=1))
    forged = msgspec.json.encode(event("pi_forged"))
    async with running(config) as sidecar:
        wrong = sign(forged, secret="whsec_of_another_endpoint_0123")
        with hands():  # no time passes, in which there would be budget again
            statuses = [
                (await sidecar.webhook(forged, Stripe_Signature=wrong, X_Forwarded_For="192.0.2.1"))[0]
                for _ in range(REFUSED_AT_ONCE + 5)
            ]
            assert statuses == [400] * REFUSED_AT_ONCE + [429] * 5
            for number, address in enumerate(("192.0.2.2", "192.0.2.1")):
                body = msgspec.json.encode(event(f"pi_{number}"))
                status, _ = await sidecar.webhook(body, Stripe_Signature=sign(body), X_Forwarded_For=address)
                assert status == (200, 429)[number]
        await sidecar.metric_is('reverb_sidecar_webhook_requests_total{result="source_refused"}', 6)


async def test_forgeries_whose_bodies_end_at_once_have_no_more_budget_than_others() -> None:
    """All of them are admitted before the first is verified, and verifying is what costs."""
    signature = sign(b"{}", secret="whsec_of_another_endpoint_0123")
    head = f"POST /stripe/webhook HTTP/1.1\r\nHost: x\r\nConnection: close\r\nStripe-Signature: {signature}\r\n"
    async with running() as sidecar:
        host, port = sidecar.urls.public.removeprefix("http://").split(":")
        opened = [await asyncio.open_connection(host, int(port)) for _ in range(3 * REFUSED_AT_ONCE)]
        for _, writer in opened:
            writer.write(f"{head}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode())
        for reader, _ in opened:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100"), "it was admitted"
        with hands():  # no time passes, in which there would be budget again
            for _, writer in opened:
                writer.write(b"{}")
            answers = [await reader.read() for reader, _ in opened]
        statuses = [answer.split(b" ", 2)[1] for answer in answers]
        assert (statuses.count(b"400"), statuses.count(b"429")) == (REFUSED_AT_ONCE, 2 * REFUSED_AT_ONCE)
        for _, writer in opened:
            writer.close()


async def test_forgers_behind_a_proxy_that_is_not_configured_cannot_keep_stripe_out() -> None:
    """All requests then have one address, and Stripe's are among them."""
    body = msgspec.json.encode(event("pi_1"))
    async with running() as sidecar:
        assert (await sidecar.webhook(body, Stripe_Signature=sign(body)))[0] == 200
        with hands():
            for _ in range(REFUSED_AT_ONCE + 5):
                assert (await sidecar.webhook(body, Stripe_Signature="t=1,v1=00"))[0] == 400
        assert (await sidecar.webhook(body, Stripe_Signature=sign(body)))[0] == 200
