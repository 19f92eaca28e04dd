"""What nobody should send, on the wire: answered with a message, never a 5xx, nothing stored, nothing believed, nothing echoed."""

import asyncio
import json
import zlib
from collections.abc import Callable

import msgspec
import pytest

from sidecar.core.facts.observations import AckReceived
from sidecar.core.facts.policy import Stage
from sidecar.core.fold.journeys import WAITING_ACKS_MAX
from sidecar.journal.memory import MemoryJournal
from tests.core.world import World, on
from tests.e2e.processes import ACK_TOKEN
from tests.shells.running import event, running, sign
from tests.shells.test_proxy import say
from tests.waiting import HANGS_AFTER_S

HOOK = b"POST /stripe/webhook HTTP/1.1\r\nHost: x\r\n"
ACK = b"POST /acks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ACK_TOKEN.encode() + b"\r\n"
END = b"Connection: close\r\n"
ECHO = b"S3CR3T"


def length(body: bytes) -> bytes:
    """Return a body with its length before it."""
    return END + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(body: bytes, size: int = 65_536) -> bytes:
    """Return a body in chunks."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return (
        END
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces)
        + b"0\r\n\r\n"
    )


def delivery_of(body: bytes) -> bytes:
    """Return the beginning of a delivery of this body, with the right signature."""
    return HOOK + b"Stripe-Signature: " + sign(body.decode("latin-1").encode()).encode() + b"\r\n"


def signed(body: bytes) -> bytes:
    """Return a delivery of this body with the right signature."""
    return delivery_of(body) + length(body)


def with_number(number: str) -> bytes:
    """Return an event whose `created` is this number."""
    return msgspec.json.encode(event("pi_number") | {"created": 17}).replace(
        b'"created":17', b'"created":' + number.encode()
    )


MEGABYTES = b"x" * 12_000_000
BOMB = zlib.compress(b"\x00" * 40_000_000)

# what is sent                      request                                                           status  code
WIRE: list[tuple[str, Callable[[], bytes], int, str]] = [
    ("12 MB with its length",        lambda: HOOK + length(MEGABYTES),                                   400, "signature_invalid"),
    ("12 MB in chunks",              lambda: delivery_of(MEGABYTES) + chunked(MEGABYTES),                    413, "body_too_large"),
    ("an ack of 12 MB in chunks",    lambda: ACK + chunked(MEGABYTES),                                   413, "body_too_large"),
    ("a bomb, deflated",             lambda: delivery_of(BOMB) + b"Content-Encoding: deflate\r\n" + length(BOMB), 415, "encoding_refused"),
    ("a bomb in chunks",             lambda: ACK + b"Content-Encoding: gzip\r\n" + chunked(BOMB),        415, "encoding_refused"),
    ("another compression",          lambda: ACK + b"Content-Encoding: br\r\n" + length(b"{}"),          415, "encoding_refused"),
    ("ten thousand signatures",      lambda: HOOK + b"Stripe-Signature: t=1" + b",v1=0" * 10_000 + b"\r\n" + length(b"{}"), 400, "request_invalid"),
    ("five hundred signatures",      lambda: HOOK + b"Stripe-Signature: t=1" + b",v1=0" * 500 + b"\r\n" + length(b"{}"), 400, "signature_invalid"),
    ("two times in the signature",   lambda: HOOK + b"Stripe-Signature: t=1,t=2,v1=00\r\n" + length(b"{}"), 400, "signature_invalid"),
    ("a number beyond all",          lambda: signed(with_number("1e999")),                               400, "body_invalid"),
    ("four hundred digits",          lambda: signed(with_number("9" * 400)),                             400, "body_invalid"),
    ("a time before time",           lambda: signed(with_number("-1")),                                  400, "body_invalid"),
    ("no number",                    lambda: signed(with_number("NaN")),                                 400, "body_invalid"),
    ("sixty thousand brackets",  lambda: signed(b"[" * 60_000),                                     400, "body_invalid"),
    ("a payment with a line in it",  lambda: signed(msgspec.json.encode(event("pi_1\nforged"))),         400, "body_invalid"),
    ("metadata that is no text",     lambda: signed(msgspec.json.encode(event("pi_1", metadata={"a": {}}))), 400, "body_invalid"),
    ("NUL in a payment",             lambda: signed(msgspec.json.encode(event("pi_\x00"))),              400, "body_invalid"),
    ("a token that is no ASCII",     lambda: b"POST /acks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n" + length(b"{}"), 401, "token_invalid"),
    ("no token",                     lambda: b"POST /acks HTTP/1.1\r\nHost: x\r\n" + length(b"{}"),     401, "token_invalid"),
    ("a key with a tab",             lambda: ACK + b"Idempotency-Key: a\tb\r\n" + length(b'{"stage":"paid","user_id":7}'), 400, "body_invalid"),
    ("a thousand contexts",          lambda: ACK + length(msgspec.json.encode({"stage": "paid", "payment_intent": "pi_1", "contexts": ["c"] * 1000})), 400, "body_invalid"),
    ("a user beyond all numbers",    lambda: ACK + length(b'{"stage":"paid","user_id":1180591620717411303424}'), 400, "body_invalid"),
    ("a stage nobody knows",         lambda: ACK + length(b'{"stage":"S3CR3T","payment_intent":"pi_1"}'), 400, "body_invalid"),
    ("the wrong method",             lambda: b"DELETE /acks HTTP/1.1\r\nHost: x\r\n" + END + b"\r\n",    405, "method_not_allowed"),
    ("a path out of the way",        lambda: b"GET /flags/../../etc/S3CR3T HTTP/1.1\r\nHost: x\r\n" + END + b"\r\n", 404, "not_found"),
    ("NUL in the path",              lambda: b"GET /flags/%00S3CR3T HTTP/1.1\r\nHost: x\r\n" + END + b"\r\n", 404, "flag_unknown"),
    ("a very long key",              lambda: b"GET /flags/payment-refresh?targeting_key=" + b"S3CR3T" * 300 + b" HTTP/1.1\r\nHost: x\r\n" + END + b"\r\n", 400, "body_invalid"),
    ("a path beyond all",            lambda: b"GET /" + b"S3CR3T" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request_invalid"),
    ("a thousand headers",           lambda: ACK + b"".join(b"X%d: S3CR3T\r\n" % n for n in range(1000)) + b"\r\n", 400, "request_invalid"),
    ("another version of HTTP",      lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",                        400, "request_invalid"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "request_", "status", "code"), WIRE, ids=[row[0] for row in WIRE])
async def test_what_nobody_should_send_is_refused_with_a_message(
    case: str, request_: Callable[[], bytes], status: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A code and a sentence, none of the input, no version of ours, and nothing in the journal but heartbeats."""
    async with running() as sidecar:
        before = await sidecar.metric("reverb_sidecar_journal_records_total")
        head, _, body = (await say(sidecar.urls.public, request_())).partition(b"\r\n\r\n")
        beats = await sidecar.metric("reverb_sidecar_journal_records_total") - before
        outcomes = await sidecar.status()
    assert int(head.split()[1]) == status, (case, head, body)
    reported = json.loads(body)
    assert (reported["code"], set(reported)) == (code, {"code", "message"})
    assert b"Server: reverb-sidecar" in head
    assert ECHO not in head + body
    assert beats <= 3
    assert outcomes["succeeded"] == 0
    log = capsys.readouterr().out
    assert "Traceback" not in log
    assert "S3CR3T" not in log


async def test_a_body_that_drips_is_ended_in_time() -> None:
    """One byte at a time never ends by itself, and holds a place that others need."""
    async with running() as sidecar:
        host, _, port = sidecar.urls.public.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(ACK + b"Content-Length: 1000\r\n\r\n")

        async def drip() -> None:
            while True:
                writer.write(b" ")
                await asyncio.sleep(0.1)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(HANGS_AFTER_S):
            answer = await reader.read()
        dripping.cancel()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"body_too_slow"' in answer


async def test_what_is_only_unusual_is_served() -> None:
    """An old version, a target in absolute form, a client that asks before it sends."""
    body = msgspec.json.encode({"stage": "paid", "payment_intent": "pi_1"})
    async with running() as sidecar:
        url = sidecar.urls.public
        old = await say(url, b"GET /healthz HTTP/1.0\r\n\r\n")
        absolute = await say(url, b"GET http://x/healthz HTTP/1.1\r\nHost: x\r\n" + END + b"\r\n")
        asking = await say(url, ACK + b"Expect: 100-continue\r\n" + length(body))
    assert old.startswith(b"HTTP/1.0 200")
    assert absolute.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 200" in asking


async def test_a_million_acks_for_one_payment_are_one_fact() -> None:
    """The journal knows it again, and neither it nor the state grows."""
    journal = MemoryJournal()
    ack = AckReceived(source="backend", stage=Stage.DELIVERED, payment_intent="pi_1")
    for _ in range(1_000_000):
        await journal.append(ack)
    assert len(await journal.read(0, 10)) == 1
    async with running() as sidecar:
        answers = [await sidecar.ack({"stage": "delivered", "payment_intent": "pi_1"}) for _ in range(500)]
        assert [answer["result"] for _, answer in answers] == ["accepted"] + ["duplicate"] * 499
        await sidecar.metric_is('reverb_sidecar_acks_total{stage="delivered"}', 1)


def test_acks_for_payments_that_nobody_knows_are_bounded_and_forgotten() -> None:
    """From the far future or of another shop: they wait for their payments, so many at most, and not for ever."""
    world: World = on(1)
    world.decides = False
    for number in range(WAITING_ACKS_MAX + 1000):
        world.append(AckReceived(source="backend", stage=Stage.DELIVERED, payment_intent=f"pi_unknown_{number}"))
    assert world.state.waiting_acks == WAITING_ACKS_MAX
    assert world.state.tally.dropped_acks == 1000
    world.now_ms += 60_000
    world.beat()
    assert (world.state.waiting_acks, len(world.state.journeys)) == (0, 0)
