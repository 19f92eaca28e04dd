"""OFREP: what every published provider needs is always there, and no value outlives its lease unnoticed."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import msgspec
import pytest

from sidecar.core.fold.serving import bucket_of
from sidecar.http.rate_limits import LIMITS
from tests.core.world import World, on
from tests.shells.flag_proxy import BULK, Proxy, nobody, proxy

WHOLE, MODE = "payment-refresh", "payment-refresh-mode"
CHECKED = {"context": {"targetingKey": "u1", "checksLease": True}}
UNCHECKED = {"context": {"targetingKey": "u1"}}
INSIDE = next(f"u{number}" for number in range(1000) if bucket_of(WHOLE, f"u{number}") < 100_000)
OUTSIDE = next(f"u{number}" for number in range(1000) if bucket_of(WHOLE, f"u{number}") >= 100_000)

Answered = tuple[int, Mapping[str, str], Any]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client."""
    async with aiohttp.ClientSession() as session:
        yield session


async def post(
    session: aiohttp.ClientSession, it: Proxy, path: str = BULK, body: Any = UNCHECKED, **headers: str
) -> Answered:
    """Post a body to a path of a proxy; return the status, the headers and what was answered."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with session.post(it.url + path, data=data, headers=named) as response:
        text = await response.text()
        return response.status, response.headers, json.loads(text) if text else None


async def flags(session: aiohttp.ClientSession, it: Proxy, body: Any = UNCHECKED) -> dict[str, dict[str, Any]]:
    """Return the flags of a bulk evaluation by key."""
    status, _, bulk = await post(session, it, body=body)
    assert status == 200
    return {flag["key"]: flag for flag in bulk["flags"]}


async def test_a_bulk_evaluation_has_all_that_any_provider_wants(session: aiohttp.ClientSession) -> None:
    """Python's wants variant and reason, the web's an exposed entity tag, and metadata is of primitives."""
    async with proxy() as it:
        it.now_ms = lambda: 1_700_000_001_999
        status, headers, bulk = await post(session, it, body=CHECKED)
    metadata = {
        "environment": "test",
        "version": 3,
        "issued_at": 1_700_000_000_000,
        "valid_for_s": 30.0,
        "why": "current_rung",
    }
    answer = {
        "flag": WHOLE,
        "mode": "push_with_safety_net",
        "refetch_after_ms": [0],
        "safety_net_ms": 5000,
        "refetch_on_subscribe": True,
        "version": 3,
        "valid_for_s": 30.0,
        "reason": "current_rung",
        "environment": "test",
        "issued_at": 1_700_000_000_000,
    }
    push = "push_with_safety_net"
    assert status == 200
    assert bulk == {
        "flags": [
            {"key": WHOLE, "value": answer, "reason": "STATIC", "variant": push, "metadata": metadata},
            {"key": MODE, "value": push, "reason": "TARGETING_MATCH", "variant": push, "metadata": metadata},
        ],
        "metadata": {"environment": "test", "version": 3},
        "eventStreams": [
            {
                "type": "sse",
                "endpoint": {"requestUri": "/ofrep/v1/stream?targeting_key=u1&checks_lease=true"},
                "inactivityDelaySec": 120,
            }
        ],
    }
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["ETag"].startswith('"')
    exposed = {name.strip() for name in headers["Access-Control-Expose-Headers"].split(",")}
    assert {"ETag", "Retry-After"} <= exposed
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("key", [WHOLE, MODE])
async def test_a_single_evaluation_is_the_one_of_the_bulk(session: aiohttp.ClientSession, key: str) -> None:
    """A server and a browser get the same answer at the same moment."""
    async with proxy() as it:
        it.now_ms = lambda: 1_700_000_000_000
        status, headers, single = await post(session, it, f"{BULK}/{key}", CHECKED)
        assert single == (await flags(session, it, CHECKED))[key]
        assert (status, headers["Cache-Control"]) == (200, "no-store")


CAREFUL = [
    # checksLease        value
    (True,               "push_with_safety_net"),
    (False,              "timer_polling"),
    (None,               "timer_polling"),
    ("true",             "timer_polling"),
    (1,                  "timer_polling"),
    ({"yes": True},      "timer_polling"),
]  # fmt: skip


@pytest.mark.parametrize(("checks", "value"), CAREFUL)
async def test_the_plain_string_says_push_only_to_who_promises_to_check_the_lease(
    session: aiohttp.ClientSession, checks: object, value: str
) -> None:
    """A provider keeps its last value when it loses us: who does not look must not hold push."""
    async with proxy() as it:
        got = await flags(session, it, {"context": {"targetingKey": "u1", "checksLease": checks}})
        assert (got[MODE]["value"], got[MODE]["variant"]) == (value, value)
        assert got[WHOLE]["value"]["mode"] == "push_with_safety_net", "the object has its lease in it"
        if value == "timer_polling":
            assert got[MODE]["metadata"]["why"] == "lease_unchecked"


def world_with(what: str) -> World:
    """Return a world in which one thing decides what is answered."""
    world = on({"bottom": 0, "share": 1}.get(what, 2))
    world.decides = False
    match what:
        case "alarm":
            world.bad(6)
        case "dry run":
            world.change(dry_run=True)
        case "restart":
            world.start()
        case "nothing yet":
            return nobody()
    return world


REASONS = [
    # the world      targetingKey   mode                     reason      why
    ("bottom",       "u1",          "timer_polling",         "STATIC",   "bottom_rung"),
    ("share",        INSIDE,        "push_with_safety_net",  "SPLIT",    "current_rung"),
    ("share",        OUTSIDE,       "timer_polling",         "SPLIT",    "outside_share"),
    ("share",        None,          "timer_polling",         "STATIC",   "no_targeting_key"),
    ("all",          None,          "push_with_safety_net",  "STATIC",   "current_rung"),
    ("alarm",        "u1",          "timer_polling",         "DISABLED", "alarm"),
    ("dry run",      "u1",          "timer_polling",         "DISABLED", "dry_run"),
    ("restart",      "u1",          "timer_polling",         "DISABLED", "suspended"),
    ("nothing yet",  "u1",          "timer_polling",         "DISABLED", "starting"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "key", "mode", "reason", "why"), REASONS)
async def test_each_state_of_the_flag_has_its_reason(
    session: aiohttp.ClientSession, what: str, key: str | None, mode: str, reason: str, why: str
) -> None:
    """And a missing targeting key is timers where a share would need it, never an error."""
    context = {} if key is None else {"targetingKey": key}
    async with proxy(world=world_with(what)) as it:
        whole = (await flags(session, it, {"context": context}))[WHOLE]
    assert (whole["value"]["mode"], whole["variant"]) == (mode, mode)
    assert (whole["reason"], whole["metadata"]["why"]) == (reason, why)


async def test_the_entity_tag_is_that_of_what_was_evaluated(session: aiohttp.ClientSession) -> None:
    """The web provider sends the old tag with a new context: by the configuration's it would keep wrong values."""
    async with proxy(1) as it:
        it.now_ms = lambda: 1_700_000_000_000
        _, inside, _ = await post(session, it, body={"context": {"targetingKey": INSIDE}})
        _, again, _ = await post(session, it, body={"context": {"targetingKey": INSIDE, "more": [1]}})
        assert again["ETag"] == inside["ETag"], "what is not read decides nothing"
        for other in ({"targetingKey": OUTSIDE}, {"targetingKey": INSIDE, "checksLease": True}, {}):
            status, headers, _ = await post(session, it, body={"context": other}, If_None_Match=inside["ETag"])
            assert (status, headers["ETag"] != inside["ETag"]) == (200, True)


async def test_a_304_keeps_a_push_only_within_its_step_and_then_a_200_renews_it(session: aiohttp.ClientSession) -> None:
    """Providers keep the value on a 304, and with it the old `issued_at`: it must not stand for a new one."""
    async with proxy(lease_ms=30_000) as it:
        it.now_ms = lambda: 1_700_000_000_000
        _, first, _ = await post(session, it)
        it.now_ms = lambda: 1_700_000_001_999
        status, headers, body = await post(session, it, If_None_Match=first["ETag"])
        assert (status, body, headers["ETag"]) == (304, None, first["ETag"])
        assert headers["Access-Control-Expose-Headers"]
        it.now_ms = lambda: 1_700_000_002_000
        status, headers, bulk = await post(session, it, If_None_Match=first["ETag"])
        assert (status, bulk["flags"][0]["value"]["issued_at"]) == (200, 1_700_000_002_000)


async def test_timers_need_no_renewal_and_stay_a_304_for_as_long_as_they_hold(session: aiohttp.ClientSession) -> None:
    """`issued_at` stands at the moment from which timers are answered, and so no earlier than any push before."""
    async with proxy() as it:
        it.now_ms = lambda: 1_700_000_000_000
        await post(session, it)
        it.world.bad(6)
        it.now_ms = lambda: 1_700_000_000_001
        _, first, bulk = await post(session, it)
        assert bulk["flags"][0]["value"]["mode"] == "timer_polling"
        assert bulk["flags"][0]["value"]["issued_at"] == 1_700_000_000_001
        it.now_ms = lambda: 1_800_000_000_000
        status, _, _ = await post(session, it, If_None_Match=first["ETag"])
        assert status == 304


async def test_if_none_match_takes_lists_weak_tags_and_the_star(session: aiohttp.ClientSession) -> None:
    """Proxies make strong tags weak, and some send several."""
    async with proxy(0) as it:
        etag = (await post(session, it))[1]["ETag"]
        for header in (etag, f'"other", W/{etag}', "*"):
            assert (await post(session, it, If_None_Match=header))[0] == 304
        for header in ('"other"', "", etag.strip('"')):
            assert (await post(session, it, If_None_Match=header))[0] == 200


async def test_what_an_event_named_must_be_what_is_answered_or_there_is_no_304(session: aiohttp.ClientSession) -> None:
    """Otherwise a replica that is behind could answer 304 to a client that has just received a change."""
    async with proxy(0) as it:
        etag = (await post(session, it))[1]["ETag"]
        bare = etag.strip('"')
        for named, status in ((bare, 304), (f"%22{bare}%22", 304), (f"W/%22{bare}%22", 304), ("%22old%22", 200)):
            path = f"{BULK}?flagConfigEtag={named}&flagConfigLastModified=1"
            assert (await post(session, it, path, If_None_Match=etag))[0] == status, named


TOLERATED = {
    "a base URL that ends in a slash": ("/" + BULK, UNCHECKED),
    "a slash at the end": (BULK + "/", UNCHECKED),
    "both, and one flag": (f"//ofrep/v1/evaluate/flags/{MODE}/", UNCHECKED),
    "no context": (BULK, {}),
    "a context of null": (BULK, {"context": None}),
    "an empty context": (BULK, {"context": {}}),
    "a targeting key of null": (BULK, {"context": {"targetingKey": None}}),
    "an empty targeting key": (BULK, {"context": {"targetingKey": ""}}),
    "more than we read": (BULK, {"context": {"targetingKey": "u1", "a": [1, {"b": None}]}, "more": 1}),
}


@pytest.mark.parametrize(("path", "body"), TOLERATED.values(), ids=TOLERATED)
async def test_what_real_providers_send_is_taken(session: aiohttp.ClientSession, path: str, body: object) -> None:
    """An error at its start leaves a web provider on the code's default for as long as the page lives."""
    async with proxy(0) as it:
        assert (await post(session, it, path, body))[0] == 200


REFUSED = {
    "no JSON": (BULK, b"{", 400, "PARSE_ERROR"),
    "nothing": (BULK, b"", 400, "PARSE_ERROR"),
    "not UTF-8": (BULK, b'{"context": {"targetingKey": "\xff"}}', 400, "PARSE_ERROR"),
    "half a character": (BULK, b'{"context": {"targetingKey": "\\ud800"}}', 400, "PARSE_ERROR"),
    "nested too deep": (BULK, b'{"context": ' + b"[" * 9000, 400, "INVALID_CONTEXT"),
    "no object": (BULK, b"[]", 400, "INVALID_CONTEXT"),
    "a context that is a list": (BULK, {"context": []}, 400, "INVALID_CONTEXT"),
    "a targeting key that is a number": (BULK, {"context": {"targetingKey": 7}}, 400, "INVALID_CONTEXT"),
    "a targeting key too long": (BULK, {"context": {"targetingKey": "u" * 257}}, 400, "INVALID_CONTEXT"),
    "too large": (BULK, b'{"context": {"a": "' + b"x" * 16_384 + b'"}}', 413, "GENERAL"),
    "an unknown flag": (f"{BULK}/none", UNCHECKED, 404, "FLAG_NOT_FOUND"),
    "an unknown flag, and no JSON": (f"{BULK}/none", b"{", 400, "PARSE_ERROR"),
}


@pytest.mark.parametrize(("path", "body", "status", "code"), REFUSED.values(), ids=REFUSED)
async def test_errors_have_the_shape_that_providers_know(
    session: aiohttp.ClientSession, path: str, body: object, status: int, code: str
) -> None:
    """Without details Python's calls everything GENERAL; without a key the server's of JavaScript finds it unexpected."""
    async with proxy(0) as it:
        got, headers, error = await post(session, it, path, body)
    assert (got, error["errorCode"]) == (status, code)
    assert error["errorDetails"]
    assert ("key" in error) == (path != BULK)
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cache-Control"] == "no-store"


async def test_a_compressed_body_is_refused_with_a_message(session: aiohttp.ClientSession) -> None:
    """What is not decompressed cannot be a bomb."""
    async with proxy(0) as it:
        status, _, error = await post(session, it, body=b"x", Content_Encoding="gzip")
        assert (status, error["errorCode"]) == (415, "GENERAL")


@pytest.mark.parametrize("path", [BULK, f"{BULK}/{WHOLE}"])
async def test_a_refused_request_is_answered_in_ofreps_shape_with_retry_after(
    session: aiohttp.ClientSession, path: str
) -> None:
    """`Retry-After` is whole seconds: Python's provider takes the date of OFREP's own example for an error."""
    for bound, status in (({"in_flight_max": 0}, 503), ({"per_s": 0}, 429)):
        limits = {name: msgspec.structs.replace(limit, **bound) for name, limit in LIMITS.items()}
        async with proxy(0, limits=limits) as it:
            got, headers, error = await post(session, it, path)
            assert (got, error["errorCode"]) == (status, "GENERAL")
            assert error["errorDetails"]
            assert int(headers["Retry-After"]) > 0
            assert "Retry-After" in headers["Access-Control-Expose-Headers"]


async def test_a_browser_may_ask_from_anywhere_with_what_providers_send(session: aiohttp.ClientSession) -> None:
    """JSON, an entity tag, a token or a key each make a preflight necessary."""
    wanted = {"content-type", "if-none-match", "authorization", "x-api-key"}
    async with proxy(0) as it:
        for path in (BULK, "/" + BULK, f"{BULK}/{WHOLE}"):
            async with session.options(it.url + path, headers={"Origin": "https://app.example.test"}) as response:
                assert response.status == 204
                allowed = {name.strip().lower() for name in response.headers["Access-Control-Allow-Headers"].split(",")}
                assert wanted <= allowed
                assert response.headers["Access-Control-Allow-Methods"] == "POST"
                assert response.headers["Access-Control-Allow-Origin"] == "*"
                assert int(response.headers["Access-Control-Max-Age"]) > 0


async def test_a_failure_of_ours_has_ofreps_shape_too(session: aiohttp.ClientSession) -> None:
    """What we did not foresee says that it is ours, and nothing of the question."""
    async with proxy(0) as it:
        it.now_ms = lambda: 1 // 0
        status, headers, error = await post(session, it, body={"context": {"targetingKey": "SECRETX"}})
        assert (status, error["errorCode"]) == (500, "GENERAL")
        assert "SECRETX" not in json.dumps(error)
        assert headers["Access-Control-Allow-Origin"] == "*"
