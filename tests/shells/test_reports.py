"""`POST /acks` from browsers: who may tell, how often, and that every refusal is counted and nothing is repeated."""

import asyncio
import unittest.mock
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

from sidecar import tokens
from sidecar.core.facts.observations import BrowserReported, Observation
from sidecar.core.facts.reports import Family
from sidecar.journal.memory import MemoryJournal
from sidecar.ports import Appended, ErrorCode, SidecarError
from sidecar.probes.reports import (
    ADDRESS_AT_ONCE,
    IN_FLIGHT_PER_ADDRESS_MAX,
    USER_AT_ONCE,
    ReportResult,
    Reports,
    family_of,
)
from sidecar.tokens import BrowserTokens
from tests.e2e.processes import until
from tests.shells.browser_reports import REPORT, SECRET, send, token
from tests.shells.running import CONFIG, SECRETS, Running, event, running
from tests.waiting import HANGS_AFTER_S

OTHER = "another-browser-secret-being-rolled-01234"
_SECRETS = msgspec.structs.replace(SECRETS, browser=(SECRET, OTHER))


def reported(**fields: Any) -> dict[str, Any]:
    """Return a report with a good token, and other fields where given; a field that is None is left out."""
    report = {"token": token(), **REPORT, **fields}
    return {name: value for name, value in report.items() if value is not None}


async def results(sidecar: Running) -> dict[str, float]:
    """Return what became of all reports, without those of which there were none."""
    lines = (line for line in (await sidecar.metrics()).splitlines() if "browser_reports_total{" in line)
    counted = {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in lines}
    assert set(counted) == set(ReportResult)
    return {result: count for result, count in counted.items() if count}


async def test_a_report_is_taken_without_a_word_and_counted_once() -> None:
    """204, no body, readable by any page; the same payment again is a duplicate."""
    async with running(CONFIG, _SECRETS) as sidecar:
        await sidecar.deliver(event("pi_1"))
        status, body, headers = await send(sidecar, reported())
        assert (status, body, headers["Access-Control-Allow-Origin"]) == (204, b"", "*")
        assert "Set-Cookie" not in headers
        assert (await send(sidecar, reported(cleared_by="timer")))[0] == 204
        await sidecar.metric_is('reverb_sidecar_payer_reports_total{outcome="good"}', 1)
        assert await results(sidecar) == {"accepted": 1, "duplicate": 1}
        assert await sidecar.metric('reverb_sidecar_refetches_total{mode="timer_polling"}') == 2
        assert await sidecar.metric('reverb_sidecar_cleared_alerts_total{by="push",mode="timer_polling"}') == 1
        verdict = 'reverb_sidecar_payer_verdicts_total{browser="other",flow="in_page",verdict="good"}'
        assert await sidecar.metric(verdict) == 1
        status_page = await sidecar.status()
        assert status_page["payers"]["reports"] == {"good": 1}
        assert status_page["comparison"]["timers"]["requests_basis"] == "measured by payers' browsers, in 1 payments"
        assert status_page["comparison"]["timers"]["requests_per_payment"] == 2


async def test_a_token_reports_a_payment_once_and_the_same_report_again_gets_the_same_answer() -> None:
    """With `jti`: another report of the payment is refused, another payment is not, and another token is a duplicate."""
    own = token(jti="page-1")
    async with running(CONFIG, _SECRETS) as sidecar:
        first = await send(sidecar, reported(token=own))
        again = await send(sidecar, reported(token=own))
        assert (first[0], first[1]) == (again[0], again[1]) == (204, b"")
        status, body, _ = await send(sidecar, reported(token=own, cleared_by="timer"))
        assert (status, b"reported this payment already" in body) == (401, True)
        assert (await send(sidecar, reported(token=own, payment_intent="pi_2")))[0] == 204
        assert (await send(sidecar, reported(token=token(jti="page-2"), cleared_by="timer")))[0] == 204
        assert await results(sidecar) == {"accepted": 2, "duplicate": 2, "token_used": 1}


class _Together(MemoryJournal):
    """A journal that appends only when two reports wait."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = asyncio.Barrier(2)

    async def append(self, observation: Observation) -> Appended:
        async with asyncio.timeout(HANGS_AFTER_S):
            await self._waiting.wait()
        return await super().append(observation)


async def test_two_different_reports_of_a_token_that_arrive_together_are_not_both_taken() -> None:
    """Neither is durable when the other is checked; the second to be stored is refused all the same."""
    reports = Reports(_Together(), BrowserTokens((SECRET,), "test"), "identity-key-0123456789")
    own = token(jti="page-1")

    async def post(body: bytes) -> web.Response:
        content = StreamReader(unittest.mock.Mock(_reading_paused=False), 2**16, loop=asyncio.get_running_loop())
        content.feed_data(body)
        content.feed_eof()
        return await reports.receive(
            make_mocked_request("POST", "/acks", {"Content-Length": str(len(body))}, payload=content)
        )

    bodies = (msgspec.json.encode(reported(token=own, cleared_by=by)) for by in ("push", "timer"))
    answers = await asyncio.gather(*(post(body) for body in bodies), return_exceptions=True)
    assert [answer.status for answer in answers if isinstance(answer, web.Response)] == [204]
    assert ["already" in answer.message for answer in answers if isinstance(answer, SidecarError)] == [True]
    assert reports.reports[ReportResult.TOKEN_USED] == 1


def test_what_tokens_have_reported_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten: the journal still takes one report of a user and payment."""
    monkeypatch.setattr(tokens, "USED_MAX", 3)
    used = tokens.UsedTokens()
    for number in range(5):
        used.use(f"token-{number}", "pi_1", b"a")
    assert [used.has_reported(f"token-{number}", "pi_1", b"a") for number in range(5)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    with pytest.raises(tokens.TokenRefused, match="already, otherwise"):
        used.has_reported("token-4", "pi_1", b"b")


async def test_a_token_of_another_environment_is_refused() -> None:
    """Staging and production often share a secret by mistake; a token without `env` is good for each."""
    async with running(CONFIG, _SECRETS) as sidecar:
        status, body, _ = await send(sidecar, reported(token=token(env="elsewhere")))
        assert (status, b"another environment" in body, b"elsewhere" in body) == (401, True, False)
        assert (await send(sidecar, reported(token=token(env=CONFIG.environment))))[0] == 204
        assert await results(sidecar) == {"accepted": 1, "token_environment": 1}


async def test_either_secret_signs_while_one_is_rolled_and_the_key_id_says_which() -> None:
    """A page that was opened before the change must still be accepted."""
    async with running(CONFIG, _SECRETS) as sidecar:
        assert (await send(sidecar, reported(token=token(secret=OTHER))))[0] == 204
        assert (await send(sidecar, reported(token=token("8", kid="deadbeef"))))[0] == 401
        assert await results(sidecar) == {"accepted": 1, "token_key_unknown": 1}


# fmt: off
REFUSED = [
    # what is sent,                                             status, counted as
    (reported(token=token(secret="x" * 40, kid="")),                401,    "token_key_unknown"),
    (reported(token=token(lasts_s=-60)),                            401,    "token_expired"),
    (reported(token=token(lasts_s=36_000)),                         401,    "token_too_long"),
    (reported(token=token(exp=10**400)),                            401,    "token_too_long"),
    (reported(token=token(iat=4_000_000_000)),                      401,    "token_early"),
    (reported(token=token(nbf=4_000_000_000)),                      401,    "token_early"),
    (reported(token=token(aud="another")),                          401,    "token_audience"),
    (reported(token=token(aud=None)),                               401,    "token_malformed"),
    (reported(token=token(exp=None)),                               401,    "token_malformed"),
    (reported(token=token(None)),                                   401,    "token_malformed"),
    (reported(token=token("7.private-x")),                          401,    "token_malformed"),
    (reported(token=token(exp="4000000000")),                       401,    "token_malformed"),
    (reported(token=token(exp=float("nan"))),                       401,    "token_malformed"),
    (reported(token=token(nbf=float("inf"))),                       401,    "token_malformed"),
    (reported(token=token(jti=7)),                                  401,    "token_malformed"),
    (reported(token=token(jti="")),                                 401,    "token_malformed"),
    (reported(token=token(jti="j" * 129)),                          401,    "token_malformed"),
    (reported(token=token(env=7)),                                  401,    "token_malformed"),
    (reported(token=token(env="")),                                 401,    "token_environment"),
    (reported(token=token()[:-4] + "AAAA"),                         401,    "token_signature"),
    (reported(token="a.b.c"),                                       401,    "token_malformed"),
    (reported(token=""),                                            401,    "token_malformed"),
    (reported(token="e" * 1100),                                    401,    "token_malformed"),
    (reported(token=None),                                          400,    "body_invalid"),
    (reported(payment_intent=None),                                 400,    "body_invalid"),
    (reported(payment_intent="with space"),                         400,    "body_invalid"),
    (reported(flow="teleport"),                                     400,    "body_invalid"),
    (reported(mode="push"),                                         400,    "body_invalid"),
    (reported(version=-1),                                          400,    "body_invalid"),
    (reported(watched_ms=3_600_001),                                400,    "body_invalid"),
    (reported(watched_ms=1.5),                                      400,    "body_invalid"),
    (reported(refetches=1001),                                      400,    "body_invalid"),
    (reported(cleared_by="magic"),                                  400,    "body_invalid"),
    (reported(cleared_by=None),                                     400,    "body_invalid"),
    (reported(cleared_after_ms=None),                               400,    "body_invalid"),
    (reported(pushed_after_ms=None),                                400,    "body_invalid"),
    (reported(subscribed_after_ms=None),                            400,    "body_invalid"),
    (reported(subscription="silent"),                               400,    "body_invalid"),
    (reported(auth_status=403),                                     400,    "body_invalid"),
    (b"not json",                                               400,    "body_invalid"),
    (b"\xff\xfe",                                               400,    "body_invalid"),
    (b"[" * 2000,                                               400,    "body_invalid"),
    (b"",                                                       400,    "body_invalid"),
    (b"x" * 2049,                                               413,    "body_refused"),
]
# fmt: on


@pytest.mark.parametrize(("report", "status", "result"), REFUSED)
async def test_what_is_not_a_report_is_refused_with_a_message_and_counted(
    report: object, status: int, result: str
) -> None:
    """Each wrong in one way; the answer says what is wrong and repeats nothing that was sent."""
    async with running(CONFIG, _SECRETS) as sidecar:
        answered, body, headers = await send(sidecar, report)
        assert answered == status
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert set(msgspec.json.decode(body)) == {"code", "message"}
        assert b"teleport" not in body
        assert b"eyJ" not in body
        assert await results(sidecar) == {result: 1}


async def test_a_compressed_report_is_refused() -> None:
    """A bomb costs more to open than to send."""
    async with running(CONFIG, _SECRETS) as sidecar:
        assert (await send(sidecar, reported(), Content_Encoding="gzip"))[0] == 415
        assert await results(sidecar) == {"body_refused": 1}


async def test_without_a_secret_browsers_are_answered_that_nobody_listens() -> None:
    """And what a backend sends is taken as ever."""
    async with running() as sidecar:
        status, body, _ = await send(sidecar, reported())
        assert (status, msgspec.json.decode(body)["code"]) == (404, "not_found")
        assert await results(sidecar) == {"not_taken": 1}
        assert (await sidecar.ack({"stage": "paid", "payment_intent": "pi_1"}))[0] == 200


async def test_the_backends_text_is_the_backends_because_of_its_token() -> None:
    """A client library that calls every body text/plain must not be taken for a browser."""
    async with running(CONFIG, _SECRETS) as sidecar:
        ack = {"stage": "paid", "payment_intent": "pi_1"}
        assert await sidecar.ack(ack, Content_Type="text/plain") == (200, {"result": "accepted"})
        assert await results(sidecar) == {}


async def test_the_origin_list_is_a_hint_that_stops_other_pages() -> None:
    """Who is no browser says no origin, and is stopped by the token."""
    acks = msgspec.structs.replace(CONFIG.acks, browser_origins=("https://app.example.test",))
    async with running(msgspec.structs.replace(CONFIG, acks=acks), _SECRETS) as sidecar:
        assert (await send(sidecar, reported(), Origin="https://evil.example.test"))[0] == 403
        assert (await send(sidecar, reported(), Origin="https://app.example.test"))[0] == 204
        assert (await send(sidecar, reported(payment_intent="pi_2")))[0] == 204
        assert await results(sidecar) == {"origin_refused": 1, "accepted": 2}


async def test_a_cookie_is_not_looked_at() -> None:
    """Beacons bring the cookies of the sidecar's origin along; nothing here depends on them."""
    async with running(CONFIG, _SECRETS) as sidecar:
        assert (await send(sidecar, reported(), Cookie="session=stolen; token=x"))[0] == 204


async def test_one_user_may_not_fill_the_journal() -> None:
    """Ten at once, then one per five minutes: the rest is refused before anything is written."""
    async with running(CONFIG, _SECRETS) as sidecar:
        answers = [
            (await send(sidecar, reported(payment_intent=f"pi_{number}")))[0] for number in range(USER_AT_ONCE + 5)
        ]
        assert answers == [204] * USER_AT_ONCE + [429] * 5
        assert (await send(sidecar, reported(token=token("8"))))[0] == 204
        counted = await results(sidecar)
        assert counted == {"accepted": USER_AT_ONCE + 1, "user_rate": 5}


async def test_one_address_may_not_keep_us_busy() -> None:
    """Garbage is refused by its sender before it is read; behind a known proxy the sender is who the proxy says."""
    listen = msgspec.structs.replace(CONFIG.listen, proxies=1)
    async with running(msgspec.structs.replace(CONFIG, listen=listen), _SECRETS) as sidecar:
        for _ in range(20 * ADDRESS_AT_ONCE):  # its quota grows while a slow machine sends
            await send(sidecar, b"garbage", X_Forwarded_For="203.0.113.7")
            status, _, headers = await send(sidecar, b"garbage", X_Forwarded_For="198.51.100.1, 203.0.113.7")
            if status == 429:
                break
        assert (status, headers["Retry-After"]) == (429, "1")
        assert (await send(sidecar, reported(), X_Forwarded_For="203.0.113.8"))[0] == 204
        assert (await results(sidecar))["address_rate"] >= 1


async def test_beacons_that_never_end_keep_out_neither_the_backend_nor_other_addresses() -> None:
    """Browsers have their own share of the permits for acks, and each address its share of that."""
    listen = msgspec.structs.replace(CONFIG.listen, proxies=1)
    async with running(msgspec.structs.replace(CONFIG, listen=listen), _SECRETS) as sidecar:
        host, port = sidecar.urls.public.removeprefix("http://").split(":")
        writers = []
        for _ in range(IN_FLIGHT_PER_ADDRESS_MAX):
            _, writer = await asyncio.open_connection(host, int(port))
            head = b"POST /acks HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nX-Forwarded-For: 203.0.113.7\r\n"
            writer.write(head + b"Content-Length: 99\r\n\r\n{")
            await writer.drain()
            writers.append(writer)

        async def are_in() -> bool:
            return (await send(sidecar, b"x", X_Forwarded_For="203.0.113.7"))[0] == 503

        await until(are_in, "all of them were admitted")
        assert (await sidecar.ack({"stage": "paid", "payment_intent": "pi_1"}))[0] == 200
        assert (await send(sidecar, reported(), X_Forwarded_For="203.0.113.8"))[0] == 204
        for writer in writers:
            writer.close()


async def test_the_journal_keeps_a_reference_and_no_id_nor_token() -> None:
    """User ids are raw only in memory."""
    fields = BrowserReported.__struct_fields__
    assert set(fields) == {"payment_intent", "user_ref", "browser", "reading"}
    async with running(CONFIG, _SECRETS) as sidecar:
        await sidecar.deliver(event("pi_1", metadata={"user_id": "parent-zq", "booking_id": "1"}))
        await send(sidecar, reported(token=token("parent-zq")))
        await sidecar.metric_is('reverb_sidecar_payer_reports_total{outcome="good"}', 1)
        assert "zq" not in str(await sidecar.status())


AGENTS = [
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        Family.CHROME,
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0",
        Family.EDGE,
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
        Family.SAFARI,
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1",
        Family.CHROME,
    ),
    (
        "Mozilla/5.0 (Linux; Android 15; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
        Family.SAMSUNG,
    ),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", Family.FIREFOX),
    ("curl/8.5.0", Family.OTHER),
    ("", Family.OTHER),
]


@pytest.mark.parametrize(("user_agent", "family"), AGENTS)
def test_a_browser_is_known_by_what_it_calls_itself(user_agent: str, family: Family) -> None:
    """Most call themselves by the names of others too."""
    assert family_of(user_agent) is family


@pytest.mark.parametrize(("lag_s", "code"), [(0.2, ErrorCode.OVERLOADED), (0.199, ErrorCode.BODY_INVALID)])
async def test_reports_are_shed_while_we_are_short_of_time(lag_s: float, code: ErrorCode) -> None:
    """Before the backend's acks do, which come through the same path."""
    reports = Reports(MemoryJournal(), BrowserTokens((SECRET,), "test"), "identity-key-0123456789", lag_s=lambda: lag_s)
    with pytest.raises(SidecarError) as caught:
        await reports.receive(make_mocked_request("POST", "/acks"))
    assert caught.value.code is code
