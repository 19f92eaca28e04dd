"""Who may look and act on the operator listener, from where, and under which name: nobody else's page, and no frame."""

import asyncio
import base64
import contextlib
import socket
from collections.abc import Mapping
from typing import Any, Self

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request

from sidecar.config import Config, Console, OperatorToken, Reading, Role
from sidecar.console.access import Access
from sidecar.console.operator_actions import OperatorAction
from sidecar.http.guard import HEADERS, UNGUARDED
from sidecar.ports import SidecarError
from tests.e2e.processes import ACK_TOKEN, OPERATOR_TOKEN, READ_TOKEN
from tests.shells.running import CONFIG, SECRETS, Running, running
from tests.shells.test_operator import WHY
from tests.shells.test_operator_actions import decisions

PATHS = ("/", "/api/status", "/api/gates", "/api/decisions", "/api/explanation")


def console(**keys: Any) -> Config:
    """Return a configuration with these keys of `console`."""
    return msgspec.structs.replace(CONFIG, console=Console(**keys))


async def ask(
    sidecar: Running, path: str, method: str = "GET", body: object = None, **headers: str
) -> tuple[int, Any, Mapping[str, str]]:
    """Ask the operator listener with these headers (underscores are dashes)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else msgspec.json.encode(body)
    url = f"{sidecar.urls.operator}{path}"
    async with sidecar.session.request(method, url, headers=named, data=data, allow_redirects=False) as response:
        content = await response.read()
        is_json = response.content_type == "application/json"
        return response.status, msgspec.json.decode(content) if is_json else content, response.headers


def bearer(token: str) -> str:
    """Return the header of a token."""
    return f"Bearer {token}"


def basic(token: str, name: str = "ann") -> str:
    """Return the header that a browser sends after it has asked a person."""
    return "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()


# --- where it comes from

# fmt: off
HOSTS = [
    # Host                                        answered
    ("127.0.0.1:{port}",                          True),
    ("localhost:{port}",                          True),
    ("LOCALHOST",                                 True),
    ("localhost.:{port}",                         True),
    ("10.1.2.3",                                  True),   # an address is nobody's name: no page can point it elsewhere
    ("[::1]:{port}",                              True),
    ("sidecar.example.test:{port}",               True),
    ("sidecar.example.test.",                     True),
    ("rebound.attacker.test:{port}",              False),
    ("127.0.0.1.attacker.test",                   False),
    ("localhost.attacker.test",                   False),
    ("attacker.test@localhost",                   False),  # no browser sends it
    ("127.0.0.1:{port}.attacker.test",            False),
    ("localhost:attacker.test",                   False),
    ("localhost/attacker.test",                   False),
    ("2130706433",                                False),
    ("",                                          False),
    ("[::1",                                      False),
]
# fmt: on


@pytest.mark.parametrize(("host", "is_answered"), HOSTS)
async def test_only_a_host_that_is_ours_is_answered(host: str, *, is_answered: bool) -> None:
    """DNS rebinding: a page's own name, pointed at our address, would make our answers the page's own."""
    async with running(console(hosts=("Sidecar.example.test",))) as sidecar:
        port = sidecar.urls.operator.rpartition(":")[2]
        for method, path in (("GET", "/api/status"), ("GET", "/"), ("POST", "/api/hold"), ("GET", "/nowhere")):
            status, answer, _ = await ask(sidecar, path, method, Host=host.format(port=port))
            is_refused = status == 403 and answer["code"] == "host_refused"
            assert is_refused is not is_answered, (method, path, status)
        for path in UNGUARDED:
            assert (await ask(sidecar, path, Host=host.format(port=port)))[0] != 403, "Prometheus asks by any name"


SAME = {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}
LINK = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
# fmt: off
ORIGINS: list[tuple[str, str, dict[str, str], bool]] = [
    # what it is                      method   headers                                                      let through
    ("a program",                     "POST",  {},                                                          True),
    ("our own page",                  "POST",  {**SAME, "Origin": "{own}"},                                 True),
    ("our own page, reading",         "GET",   SAME,                                                        True),
    ("an address typed in",           "GET",   {**LINK, "Sec_Fetch_Site": "none"},                          True),
    ("a link from elsewhere",         "GET",   LINK,                                                        True),
    ("a form from elsewhere",         "POST",  {**LINK, "Origin": "https://attacker.test"},                 False),
    ("a form without an origin",      "POST",  LINK,                                                        False),
    ("a frame elsewhere",             "GET",   {**LINK, "Sec_Fetch_Dest": "iframe"},                        False),
    ("an object elsewhere",           "GET",   {**LINK, "Sec_Fetch_Dest": "object"},                        False),
    ("a script elsewhere",            "GET",   {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, False),
    ("a fetch elsewhere",             "GET",   {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"},  False),
    ("another port of this host",     "GET",   {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"},   False),
    ("an old browser elsewhere",      "POST",  {"Origin": "https://attacker.test"},                         False),
    ("an old browser, another port",  "POST",  {"Origin": "http://127.0.0.1:1"},                            False),
    ("a sandbox",                     "POST",  {"Origin": "null"},                                          False),
    ("an old browser, our page",      "POST",  {"Origin": "{own}"},                                         True),
    ("our page behind a proxy",       "POST",  {**SAME, "Origin": "https://sidecar.example.test"},          True),
    ("another port of that name",     "POST",  {"Sec_Fetch_Site": "same-site", "Origin": "https://sidecar.example.test:81"}, False),
    ("another port, to a program",    "POST",  {"Origin": "https://sidecar.example.test:9999"},                False),
    ("another scheme",                "POST",  {"Origin": "http://sidecar.example.test"},                    False),
    ("another scheme and port",       "POST",  {"Origin": "http://sidecar.example.test:9999"},               False),
    ("the port of https, named",      "POST",  {"Origin": "https://sidecar.example.test:443"},               True),
    ("a configured origin",           "POST",  {"Origin": "http://plain.example.test:8080"},                 True),
    ("that name, another port",       "POST",  {"Origin": "http://plain.example.test"},                      False),
    ("that name by https",            "POST",  {"Origin": "https://plain.example.test:8080"},                False),
    ("a path behind our name",        "POST",  {"Origin": "https://sidecar.example.test/x"},                 False),
    ("a user before our name",        "POST",  {"Origin": "https://x@sidecar.example.test"},                 False),
    ("no origin at all",              "POST",  {"Origin": "sidecar.example.test"},                           False),
    ("an impossible port",            "POST",  {"Origin": "https://sidecar.example.test:99999"},             False),
    ("localhost on another port",     "POST",  {"Origin": "http://localhost:9999"},                          False),
    ("a name that ends in ours",      "POST",  {"Origin": "https://x.sidecar.example.test"},                False),
]
# fmt: on


@pytest.mark.parametrize(("what", "method", "headers", "is_let_through"), ORIGINS)
async def test_nobody_elses_page_can_make_a_browser_ask(
    what: str, method: str, headers: dict[str, str], *, is_let_through: bool
) -> None:
    """Only our own pages, programs, and a person who follows a link."""
    async with running(console(hosts=("sidecar.example.test", "http://plain.example.test:8080"))) as sidecar:
        filled = {name: value.format(own=sidecar.urls.operator) for name, value in headers.items()}
        path, body = ("/api/hold", WHY) if method == "POST" else ("/api/status", None)
        filled |= {"Authorization": bearer(OPERATOR_TOKEN)}
        status, answer, _ = await ask(sidecar, path, method, body, **filled)
        assert (status == 200) is is_let_through, what
        if not is_let_through:
            assert (status, answer["code"]) == (403, "origin_refused")
            assert (await sidecar.status())["holds"] == []


async def test_no_answer_may_be_framed_read_by_others_or_taken_for_something_else() -> None:
    """Pages, the API, errors, and what is nowhere: each says so; the API's own policy allows nothing at all."""
    async with running() as sidecar:
        for path in (*PATHS, "/nowhere", "/api/decisions/999", "/metrics", "/healthz"):
            _, _, headers = await ask(sidecar, path)
            for name in HEADERS:
                assert name in headers, (path, name)
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
            assert "Access-Control-Allow-Origin" not in headers
            assert "Set-Cookie" not in headers
            if path.startswith("/api"):
                assert headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
        _, _, headers = await ask(sidecar, "/api/status", Host="attacker.test")
        assert headers["X-Frame-Options"] == "DENY"


# --- who may look


async def test_a_token_that_is_none_is_refused_also_for_reading() -> None:
    """Who sends one believes to be somebody; an answer would leave them in that belief."""
    async with running() as sidecar:
        for path in PATHS:
            for value in (bearer("guessed"), basic("guessed"), "Basic %%%", "Digest x", bearer(ACK_TOKEN), "Bearer "):
                status, answer, headers = await ask(sidecar, path, Authorization=value)
                assert (status, answer["code"]) == (401, "token_invalid"), (path, value)
                assert "WWW-Authenticate" not in headers
            for token in (READ_TOKEN, OPERATOR_TOKEN):
                assert (await ask(sidecar, path, Authorization=bearer(token)))[0] == 200
            assert (await ask(sidecar, path))[0] == 200


async def test_reading_may_need_a_token_and_a_browser_asks_the_person_for_it() -> None:
    """Any role will do; what machines ask stays open; and what a browser sends by itself never actions."""
    async with running(console(reading=Reading.TOKEN)) as sidecar:
        for path in (*PATHS, "/api/decisions/1", "/api/payments/pi_1", "/nowhere"):
            status, answer, headers = await ask(sidecar, path)
            assert (status, answer["code"]) == (401, "token_needed")
            assert headers["WWW-Authenticate"].startswith('Basic realm="')
            for value in (bearer(READ_TOKEN), basic(READ_TOKEN), basic(OPERATOR_TOKEN, name="")):
                assert (await ask(sidecar, path, Authorization=value))[0] in {200, 404}
        for path in UNGUARDED - {"/metrics"}:
            assert (await ask(sidecar, path))[0] in {200, 503}
        status, answer, _ = await ask(sidecar, "/api/hold", "POST", WHY, Authorization=basic(OPERATOR_TOKEN))
        assert (status, answer["code"]) == (401, "token_invalid")
        assert (await ask(sidecar, "/api/hold", "POST", WHY, Authorization=bearer(OPERATOR_TOKEN)))[0] == 200


async def test_without_any_token_configured_reading_is_open_and_nobody_acts() -> None:
    """The answer says what to set."""
    secrets = msgspec.structs.replace(SECRETS, operator_tokens=())
    async with running(CONFIG, secrets) as sidecar:
        assert (await ask(sidecar, "/api/status"))[0] == 200
        for action in OperatorAction:
            status, answer, _ = await ask(sidecar, f"/api/{action}", "POST", WHY, Authorization=bearer(OPERATOR_TOKEN))
            assert (status, "SIDECAR_OPERATOR_TOKENS" in answer["message"]) == (401, True)


# --- under which name

USER = "X-Forwarded-User"
# fmt: off
USERS = [
    # trusted                 what the header says     the actor in the record
    (("127.0.0.1",),          "ann@example.test",      "ann@example.test via ada"),
    (("127.0.0.0/8",),        "ann",                   "ann via ada"),
    (("10.0.0.0/8", "::1"),   "ann",                   "ada"),
    (("127.0.0.2",),          "ann",                   "ada"),
    (("127.0.0.1",),          None,                    "ada"),
]
# fmt: on


@pytest.mark.parametrize(("trusted", "said", "actor"), USERS)
async def test_a_trusted_proxy_names_the_person_beside_the_token(
    trusted: tuple[str, ...], said: str | None, actor: str
) -> None:
    """Whoever else sends the header is nobody but their token; the record never says what it cannot know."""
    async with running(console(user_header=USER, trusted_proxies=trusted)) as sidecar:
        headers = {"Authorization": bearer(OPERATOR_TOKEN)} | ({USER: said} if said else {})
        status, done, _ = await ask(sidecar, "/api/hold", "POST", WHY, **headers)
        assert (status, done["actor"]) == (200, actor)
        assert (await sidecar.status())["holds"][0]["actor"] == actor
        assert (await decisions(sidecar))["entries"][0]["who"] == actor


@pytest.mark.parametrize("said", ["", "ann bob", "ann, bob", "ann\tbob", "x" * 129, "ann via root", "ånn"])
async def test_a_user_that_is_no_name_is_refused(said: str) -> None:
    """It would stand in the record for ever, and could pretend to be more than it is."""
    async with running(console(user_header=USER, trusted_proxies=("127.0.0.1",))) as sidecar:
        headers = {"Authorization": bearer(OPERATOR_TOKEN), USER: said}
        status, answer, _ = await ask(sidecar, "/api/hold", "POST", WHY, **headers)
        assert (status, answer["code"]) == (400, "user_invalid")


async def test_the_users_header_gives_no_right_by_itself() -> None:
    """A proxy that forgot to authenticate must not make everybody an operator."""
    async with running(console(user_header=USER, trusted_proxies=("127.0.0.1",))) as sidecar:
        assert (await ask(sidecar, "/api/hold", "POST", WHY, **{USER: "ann"}))[0] == 401
        headers = {USER: "ann", "Authorization": bearer(READ_TOKEN)}
        assert (await ask(sidecar, "/api/hold", "POST", WHY, **headers))[0] == 403


async def test_two_users_in_one_request_are_refused() -> None:
    """A client that sends the header itself, and a proxy that adds its own behind it."""
    async with running(console(user_header=USER, trusted_proxies=("127.0.0.1",))) as sidecar:
        body = msgspec.json.encode(WHY)
        host, port = sidecar.urls.operator.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), family=socket.AF_INET)
        head = (
            f"POST /api/hold HTTP/1.1\r\nHost: {host}\r\nAuthorization: {bearer(OPERATOR_TOKEN)}\r\n"
            f"{USER}: ann\r\n{USER}: bob\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"user_invalid" in answer


class Watched(str):
    """A secret that notifications how it is looked at."""

    __slots__ = ("reads",)
    reads: int

    def __new__(cls, text: str) -> Self:
        """Return one that nobody has looked at yet."""
        made = super().__new__(cls, text)
        made.reads = 0
        return made

    def __eq__(self, other: object) -> bool:
        """Fail: this ends at the first character that differs, and so tells where it is."""
        raise AssertionError(other)

    __hash__ = str.__hash__

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Return the bytes, as whoever compares in constant time needs them."""
        self.reads += 1
        return super().encode(encoding, errors)


@pytest.mark.parametrize("sent", ["first-token-0123456", "second-token-012345", "guessed-token-0123", "f"])
def test_a_token_is_compared_with_every_other_in_constant_time(sent: str) -> None:
    """Whichever it is, and however much of it is right: the time tells neither."""
    tokens = [Watched("first-token-0123456"), Watched("second-token-012345"), Watched("third-token-0123456")]
    known = [OperatorToken(name=f"n{number}", role=Role.OPERATE, token=each) for number, each in enumerate(tokens)]
    request = make_mocked_request("GET", "/api/status", headers={"Authorization": bearer(sent)})
    with contextlib.suppress(SidecarError):
        Access(known).admit(request)
    assert [each.reads for each in tokens] == [1, 1, 1]


# --- what is never said


async def test_no_secret_is_in_any_answer_or_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Not even the caller's own, nor what was sent for one."""
    async with running(console(reading=Reading.TOKEN)) as sidecar:
        values = (bearer(OPERATOR_TOKEN), bearer("guessed-token-0123"), basic("guessed-token-0123"))
        paths = (*PATHS, "/metrics", "/nowhere", "/api/decisions/1", "/api/payments/pi_1", "/api/gate", "/api/report")
        said = [(await ask(sidecar, path, Authorization=value))[1] for path in paths for value in values]
        tokens = (READ_TOKEN, "guessed-token-0123", OPERATOR_TOKEN)
        said += [(await sidecar.act(action, WHY, token=token))[1] for action in OperatorAction for token in tokens]
    log = "".join(capsys.readouterr())
    assert log.count("operator.refused") == 2, "each kind once: no token that is known, and one that may only read"
    text = repr(said) + log
    secrets = [OPERATOR_TOKEN, READ_TOKEN, ACK_TOKEN, "guessed-token", SECRETS.identity_key, *SECRETS.stripe_webhook]
    assert [secret for secret in secrets if secret is not None and secret in text] == []
