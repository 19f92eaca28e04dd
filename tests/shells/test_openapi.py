"""`docs/openapi.yaml`: it describes all that the public listener answers, and nothing else."""

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any, TypeGuard

import jsonschema_rs
import msgspec
import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from sidecar.composition import Sidecar
from sidecar.config import Probe, ProbeSecrets, Reverb
from sidecar.core.fold.serving import Reason
from sidecar.http.errors import STATUS
from sidecar.http.rate_limits import LIMITS, Limit
from sidecar.journal.memory import MemoryJournal
from sidecar.logs import LineCounts
from sidecar.probes.reports import USER_AT_ONCE
from tests.e2e.processes import ACK_TOKEN
from tests.probes.world import TOKEN
from tests.shells.browser_reports import REPORT, SECRET, token
from tests.shells.flag_proxy import BULK, SIGNALS, STREAM, proxy, reading
from tests.shells.running import CONFIG, SECRETS, Running, event, running, sign
from tests.shells.test_proxy import say
from tests.waiting import HANGS_AFTER_S

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
SCHEMA = schemathesis.openapi.from_path(str(DOCUMENT))
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "12"))
"""Of each operation, in each way; `make fuzz` takes more."""
FLAG = "/flags/payment-refresh"
OPERATIONS = {
    f"{each.method.upper()} {each.path}": each
    for each in (found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok))
    if "text/event-stream" not in str(each.definition.raw)
}
"""All but the streams, which have no end."""
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


def documented() -> set[tuple[str, str]]:
    """Return the document's methods and paths."""
    paths = yaml.safe_load(DOCUMENT.read_text())["paths"]
    methods = {"get", "post", "put", "patch", "delete", "options", "head"}
    return {(method.upper(), path) for path, operations in paths.items() for method in operations if method in methods}


async def test_the_document_and_the_listener_have_the_same_paths_and_methods() -> None:
    """A route that is not described is found by nobody, and a description without a route misleads."""
    reverb = Reverb(
        url="ws://127.0.0.1:1",
        app_id="1",
        app_key="key",
        origin="http://127.0.0.1",
        auth_endpoint="http://127.0.0.1:1/broadcasting/auth",
        probe=Probe(user_id="0"),
    )
    config = msgspec.structs.replace(CONFIG, reverb=reverb)
    secrets = msgspec.structs.replace(
        SECRETS, browser=(SECRET,), probe=ProbeSecrets(app_secret="app-secret", token=TOKEN)
    )
    sidecar = Sidecar(config, secrets, MemoryJournal(), lines=LineCounts())
    assert sidecar.listeners()["public"].routes() == documented()


def test_the_document_names_every_reason_and_every_status() -> None:
    """Whoever generates a client from it must not meet what it does not know."""
    schemas = yaml.safe_load(DOCUMENT.read_text())["components"]["schemas"]
    assert set(schemas["Reason"]["enum"]) == set(Reason)
    operations = yaml.safe_load(DOCUMENT.read_text())["paths"]
    statuses = {
        int(status)
        for path in operations.values()
        for each in path.values()
        if "responses" in each
        for status in each["responses"]
    }
    assert statuses >= set(STATUS.values()) - {405, 417}, (
        "405 has no operation, and 417 answers an unknown `Expect` on any path"
    )


def is_text(body: object) -> TypeGuard[bytes]:
    """Say whether Stripe could have signed this."""
    return isinstance(body, bytes) and body.decode(errors="replace").encode() == body


def ask(url: str, name: str, mode: GenerationMode, answered: Counter[int]) -> None:
    """Send what schemathesis makes of an operation, and let it judge the answers."""
    operation = OPERATIONS[name]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_ours=st.booleans())
    def send(case: Any, *, is_ours: bool) -> None:
        headers = {}
        if is_ours and "key" in case.path_parameters:
            case.path_parameters["key"] = "payment-refresh"
        if is_ours and name == "POST /acks":
            headers["Authorization"] = f"Bearer {ACK_TOKEN}"
        request = requests.Request(**case.as_transport_kwargs(base_url=url, headers=headers)).prepare()
        if is_ours and name == "POST /stripe/webhook" and is_text(request.body):
            request.headers["Stripe-Signature"] = sign(request.body)
        with requests.Session() as session:
            response = session.send(request, timeout=HANGS_AFTER_S)
        answered[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    send()


ALLOWED, NOT_ALLOWED = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
SENT = [(name, ALLOWED) for name in OPERATIONS] + [
    (name, NOT_ALLOWED) for name, each in OPERATIONS.items() if [*each.iter_parameters()] or [*each.body]
]
"""Where there is nothing to send there is nothing wrong to send."""


@pytest.mark.parametrize(("name", "mode"), SENT)
async def test_whatever_is_sent_is_answered_as_described(name: str, mode: GenerationMode) -> None:
    """No failure of ours, no undocumented status, type, header or shape."""
    async with running() as sidecar:
        answered: Counter[int] = Counter()
        await asyncio.to_thread(ask, sidecar.urls.public, name, mode, answered)
        assert answered.total() >= 1


BACKEND = {"Authorization": f"Bearer {ACK_TOKEN}", "Content-Type": "application/json"}
LARGE = b"x" * 300_000
SIGNED = msgspec.json.encode(event())
NOW = "now"
"""To be signed when it is sent: a signature lasts for minutes."""
PROVOKED = [
    # operation                               path                      body              headers                              status
    ("POST /stripe/webhook",                  "/stripe/webhook",        SIGNED,           {"Stripe-Signature": NOW},           200),
    ("POST /stripe/webhook",                  "/stripe/webhook",        SIGNED,           {},                                  400),
    ("POST /stripe/webhook",                  "/stripe/webhook",        LARGE,            {"Stripe-Signature": NOW},           413),
    ("POST /stripe/webhook",                  "/stripe/webhook",        SIGNED,           {"Stripe-Signature": NOW, "Content-Encoding": "gzip"}, 415),
    ("POST /acks",                            "/acks",                  b'{"stage": "paid", "payment_intent": "pi_1"}', BACKEND, 200),
    ("POST /acks",                            "/acks",                  b'{"auth": "ok", "user_id": 7}', BACKEND,              200),
    ("POST /acks",                            "/acks",                  b"{}",            BACKEND,                             400),
    ("POST /acks",                            "/acks",                  b"{}",            {},                                  401),
    ("POST /acks",                            "/acks",                  LARGE,            BACKEND,                             413),
    ("POST /acks",                            "/acks",                  b"{}",            {**BACKEND, "Content-Encoding": "br"}, 415),
    ("POST /watches",                         "/watches",               b"{}",            {},                                  404),
    ("GET /flags/{key}",                      FLAG,                     None,             {},                                  200),
    ("GET /flags/{key}",                      FLAG,                     None,             {"If-None-Match": "*"},              304),
    ("GET /flags/{key}",                      f"{FLAG}?targeting_key={'u' * 257}", None,  {},                                  400),
    ("GET /flags/{key}",                      "/flags/none",            None,             {},                                  404),
    ("OPTIONS /flags/{key}",                  FLAG,                     None,             {},                                  204),
    ("POST /ofrep/v1/evaluate/flags",         BULK,                     b"{}",            {},                                  200),
    ("POST /ofrep/v1/evaluate/flags",         BULK,                     b"{}",            {"If-None-Match": "*"},              304),
    ("POST /ofrep/v1/evaluate/flags",         BULK,                     b"",              {},                                  400),
    ("POST /ofrep/v1/evaluate/flags",         BULK,                     LARGE,            {},                                  413),
    ("POST /ofrep/v1/evaluate/flags",         BULK,                     b"{}",            {"Content-Encoding": "gzip"},        415),
    ("OPTIONS /ofrep/v1/evaluate/flags",      BULK,                     None,             {},                                  204),
    ("POST /ofrep/v1/evaluate/flags/{key}",   f"{BULK}/payment-refresh",      b"{}",      {},                                  200),
    ("POST /ofrep/v1/evaluate/flags/{key}",   f"{BULK}/payment-refresh-mode", b"{}",      {},                                  200),
    ("POST /ofrep/v1/evaluate/flags/{key}",   f"{BULK}/payment-refresh",      b"[]",      {},                                  400),
    ("POST /ofrep/v1/evaluate/flags/{key}",   f"{BULK}/none",           b"{}",            {},                                  404),
    ("POST /ofrep/v1/evaluate/flags/{key}",   f"{BULK}/none",           LARGE,            {},                                  413),
    ("GET /healthz",                          "/healthz",               None,             {},                                  200),
    ("GET /readyz",                           "/readyz",                None,             {},                                  200),
]  # fmt: skip


BROWSER = {"Content-Type": "text/plain;charset=UTF-8", "Origin": "https://app.example.test"}
TAKEN = {"token": NOW, **REPORT}
REPORTED = [
    # body                                             headers                                              status
    (TAKEN,                                            BROWSER,                                             204),
    (TAKEN,                                            BROWSER,                                             204),
    ({},                                               BROWSER,                                             400),
    ({**TAKEN, "token": "a.b.c"},                      BROWSER,                                             401),
    (TAKEN,                                            {**BROWSER, "Origin": "https://other.example.test"}, 403),
    ({**TAKEN, "more": "x" * 2048},                    BROWSER,                                             413),
    (TAKEN,                                            {**BROWSER, "Content-Encoding": "gzip"},             415),
    *[({**TAKEN, "payment_intent": f"pi_{number}"},    BROWSER,                                             204)
      for number in range(USER_AT_ONCE - 2)],
    ({**TAKEN, "payment_intent": "pi_more"},           BROWSER,                                             429),
]  # fmt: skip


async def test_what_browsers_report_is_answered_as_described() -> None:
    """And where no secret is set for it, 404."""
    schemas = yaml.safe_load(DOCUMENT.read_text())["components"]
    wire = {"$ref": "#/components/schemas/BrowserReport", "components": schemas}
    jsonschema_rs.validator_for(wire).validate(TAKEN)
    good = token()
    config = msgspec.structs.replace(
        CONFIG, acks=msgspec.structs.replace(CONFIG.acks, browser_origins=(BROWSER["Origin"],))
    )
    async with running(config, msgspec.structs.replace(SECRETS, browser=(SECRET,))) as sidecar:
        for report, headers, status in REPORTED:
            body = msgspec.json.encode({**report, "token": good} if report.get("token") == NOW else report)
            response = await asyncio.to_thread(send_one, sidecar, "POST /acks", "/acks", body, headers)
            assert response.status_code == status, response.text
            OPERATIONS["POST /acks"].validate_response(response)
    async with running() as sidecar:
        response = await asyncio.to_thread(send_one, sidecar, "POST /acks", "/acks", b"{}", BROWSER)
        assert response.status_code == 404
        OPERATIONS["POST /acks"].validate_response(response)


async def test_the_answers_that_can_be_provoked_are_as_described() -> None:
    """Each status has a request that must lead to it, beside the random ones."""
    async with running() as sidecar:
        for name, path, body, given_headers, status in PROVOKED:
            headers = dict(given_headers)
            if headers.get("Stripe-Signature") == NOW and body is not None:
                headers["Stripe-Signature"] = sign(body)
            response = await asyncio.to_thread(send_one, sidecar, name, path, body, headers)
            assert response.status_code == status, (name, path)
            OPERATIONS[name].validate_response(response)


def send_one(sidecar: Running, name: str, path: str, body: bytes | None, headers: dict[str, str]) -> requests.Response:
    """Send one request as it is."""
    url, method = sidecar.urls.public + path, name.partition(" ")[0]
    return requests.request(method, url, data=body, headers=headers, timeout=HANGS_AFTER_S)


REFUSALS = [
    # operation                               path                          in flight   per second   status
    ("GET /flags/{key}",                      FLAG,                         0,          9,           503),
    ("GET /flags/{key}",                      FLAG,                         9,          0,           429),
    ("OPTIONS /flags/{key}",                  FLAG,                         0,          9,           503),
    ("POST /ofrep/v1/evaluate/flags",         BULK,                         0,          9,           503),
    ("POST /ofrep/v1/evaluate/flags",         BULK,                         9,          0,           429),
    ("OPTIONS /ofrep/v1/evaluate/flags",      BULK,                         9,          0,           429),
    ("POST /ofrep/v1/evaluate/flags/{key}",   f"{BULK}/payment-refresh",    0,          9,           503),
    ("POST /ofrep/v1/evaluate/flags/{key}",   f"{BULK}/payment-refresh",    9,          0,           429),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "in_flight", "per_s", "status"), REFUSALS)
async def test_what_the_proxy_says_is_as_described(
    name: str, path: str, in_flight: int, per_s: int, status: int
) -> None:
    """Those who are one too many read the same description."""
    limits = {
        each: Limit(in_flight_max=in_flight, per_s=per_s, is_for_scripts=True, is_ofrep=limit.is_ofrep)
        for each, limit in LIMITS.items()
    }
    async with proxy(0, limits=limits) as it:
        method = name.partition(" ")[0]
        response = await asyncio.to_thread(requests.request, method, it.url + path, data=b"{}", timeout=HANGS_AFTER_S)
        assert response.status_code == status
        OPERATIONS[name].validate_response(response)


@pytest.mark.parametrize(("path", "schema"), [(STREAM, "AnswerIssued"), (SIGNALS, "Signal")])
@pytest.mark.parametrize("rung", [0, 2])
async def test_what_streams_tell_is_as_described(path: str, schema: str, rung: int) -> None:
    """Type and headers, and each event's data."""
    whole = yaml.safe_load(DOCUMENT.read_text())
    validator = jsonschema_rs.validator_for(
        {"$ref": f"#/components/schemas/{schema}", "components": whole["components"]}
    )
    async with proxy(rung) as it, reading(it.url + path) as reader:
        event = await reader.next()
        assert event is not None
        validator.validate(event.data)
        answer = whole["paths"][path.replace("payment-refresh", "{key}")]["get"]["responses"]["200"]
        assert set(answer["headers"]) <= set(reader.response.headers)
        assert reader.response.content_type in answer["content"]


async def test_a_body_that_does_not_come_is_a_408_as_described() -> None:
    """The one answer for which one must wait."""
    async with running() as sidecar:
        for path in (BULK, f"{BULK}/payment-refresh"):
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{".encode()
            raw_head, _, body = (await say(sidecar.urls.public, head)).partition(b"\r\n\r\n")
            lines = raw_head.decode().split("\r\n")
            assert lines[0].split(" ")[1] == "408"
            answer = schemathesis.Response(
                status_code=408,
                headers={name.lower(): [value] for name, value in (line.split(": ", 1) for line in lines[1:])},
                content=body,
                request=requests.Request("POST", sidecar.urls.public + path).prepare(),
                elapsed=3.0,
                verify=False,
            )
            OPERATIONS[f"POST {path.replace('payment-refresh', '{key}')}"].validate_response(answer)
