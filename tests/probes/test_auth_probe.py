"""Every outcome of the closed set is produced by a server that misbehaves in exactly that way, with its step."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from sidecar.config import Credentials, ProbeSecrets
from sidecar.core.facts.auth_probes import AuthProbeOutcome, Step
from sidecar.pusher.signing import App
from tests.probes.certificates import Certificates
from tests.probes.world import APP, World, close, framing, hang, reset, saying, world

W = AuthProbeOutcome
Spoil = Callable[[World], Awaitable[object] | None]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return an authority that the auth probes trust."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def trusted(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the tests' own authority in OpenSSL, as an administrator would."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))


def app_answers(status: int, body: str = "", **headers: str) -> Spoil:
    """Return a change that makes the auth endpoint answer with these bytes."""

    def spoil(it: World) -> None:
        it.app.faults.status, it.app.faults.body = status, body
        it.app.faults.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    return spoil


def app_signs(**faults: object) -> Spoil:
    """Return a change that makes the app sign with this."""

    def spoil(it: World) -> None:
        for name, value in faults.items():
            setattr(it.app.faults, name, value)

    return spoil


def greeting(frame: str) -> Spoil:
    """Return a change that makes Reverb begin with these frames."""

    def spoil(it: World) -> None:
        it.reverb.faults.first_frame = frame

    return spoil


def error(code: int, message: str = "") -> str:
    """Return a `pusher:error`."""
    data = msgspec.json.encode({"code": code, "message": message}).decode()
    return msgspec.json.encode({"event": "pusher:error", "data": data}).decode()


def subscribing(code: int) -> Spoil:
    """Return a change that makes Reverb refuse subscriptions with this error."""

    def spoil(it: World) -> None:
        it.reverb.faults.subscribe_code = code

    return spoil


def socket_url(url: str) -> Spoil:
    """Return a change of the address to which the auth probe connects."""
    return lambda it: it.change(socket_url=url)


def upgrade(status: int) -> Spoil:
    """Return a change that makes Reverb refuse the upgrade with this status."""

    def spoil(it: World) -> None:
        it.reverb.faults.upgrade_status = status

    return spoil


def closed_port() -> int:
    """Return a port on which no process listens."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


async def sign_for_the_last_socket(it: World) -> None:
    """Answer from a cache with the response to the previous auth probe."""
    await it.auth_probe()
    it.app.faults.signs_for_socket = it.auth_prober._earlier_sockets[-1]


def no_cors(it: World) -> None:
    """Send no CORS header in any response."""
    it.app.faults.has_cors = False


CHALLENGE = "<html><head><title>Just a moment...</title></head><body></body></html>"
OTHER, MISSIGNED = App(app_id="9", key="other", secret="other"), App(app_id="501", key=APP.key, secret="another")

# fmt: off
ENDS: list[tuple[str, Spoil, AuthProbeOutcome, Step, int | None]] = [
    # what is wrong,              how,                                                     outcome,                     step,            number
    ("nothing",                   lambda _: None,                                          W.OK,                        Step.SUBSCRIBE,  None),
    # --- the connection to Reverb
    ("no such name",              socket_url("ws://no-such-host.invalid/app/k"),           W.DNS,                       Step.RESOLVE,    None),
    ("nobody listens",            socket_url(f"ws://127.0.0.1:{closed_port()}/app/k"),     W.CONNECTION_REFUSED,        Step.CONNECT,    None),
    ("reset",                     lambda it: it.reverb_is(reset),                          W.CONNECTION_RESET,          Step.UPGRADE,    None),
    ("closed before an answer",   lambda it: it.reverb_is(close),                          W.CONNECTION_RESET,          Step.UPGRADE,    None),
    ("no route",                  socket_url("ws://255.255.255.255/app/k"),                W.UNREACHABLE,               Step.CONNECT,    None),
    ("not HTTP",                  lambda it: it.reverb_is(saying("SSH-2.0-OpenSSH\r\n")),  W.NOT_HTTP,                  Step.UPGRADE,    None),
    ("a page for a socket",       lambda it: it.reverb_is(saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")), W.NOT_HTTP, Step.UPGRADE, 200),
    ("no Upgrade arrives",        upgrade(500),                                            W.UPGRADE_STRIPPED,          Step.UPGRADE,    500),
    ("another vhost",             upgrade(404),                                            W.ROUTE_MISSING_404,         Step.UPGRADE,    404),
    ("a proxy without Reverb",    upgrade(502),                                            W.SERVER_ERROR_5XX,          Step.UPGRADE,    502),
    ("a strict proxy",            upgrade(426),                                            W.UNEXPECTED_STATUS,         Step.UPGRADE,    426),
    ("a firewall before Reverb",  lambda it: it.reverb_is(saying("HTTP/1.1 403 Forbidden\r\ncf-mitigated: challenge\r\nContent-Length: 0\r\n\r\n")), W.WAF_CHALLENGE, Step.UPGRADE, 403),
    ("http to https",             lambda it: it.reverb_is(saying("HTTP/1.1 301 Moved\r\nLocation: https://evil.invalid/\r\nContent-Length: 0\r\n\r\n")), W.REDIRECT, Step.UPGRADE, 301),
    # --- Reverb's first message
    ("an end instead",            greeting("drop"),                                        W.CLOSED_WITHOUT_FRAME,      Step.ESTABLISH,  1006),
    ("unknown key",               lambda it: it.change(socket_url=it.target.socket_url.replace("liverefresh-key", "nobody")), W.ERROR_4001, Step.ESTABLISH, 4001),
    ("over quota",                greeting(error(4004)),                                   W.ERROR_4004,                Step.ESTABLISH,  4004),
    ("origin",                    greeting(error(4009, "Origin not allowed")),             W.ERROR_4009_ORIGIN,         Step.ESTABLISH,  4009),
    ("malformed at once",         greeting(error(4200, "Invalid message format")),         W.ERROR_4200,                Step.ESTABLISH,  4200),
    ("pruned at once",            greeting(error(4201)),                                   W.ERROR_4201,                Step.ESTABLISH,  4201),
    ("rate limited",              greeting(error(4301)),                                   W.ERROR_4301,                Step.ESTABLISH,  4301),
    ("another code",              greeting(error(4100, "Over capacity")),                  W.ERROR_OTHER,               Step.ESTABLISH,  4100),
    ("another protocol",          greeting('0{"sid":"abc"}'),                              W.NOT_PUSHER,                Step.ESTABLISH,  None),
    ("an endless frame",          lambda it: it.reverb_is(framing(b"\x81\x7f" + b"\x00" * 2 + b"\xff" * 6)), W.NOT_PUSHER, Step.ESTABLISH, 1009),
    ("text that is not UTF-8",    lambda it: it.reverb_is(framing(b"\x81\x02\xff\xfe")), W.NOT_PUSHER,             Step.ESTABLISH,  1007),
    # --- the app
    ("refused",                   app_signs(refuses=frozenset({"0"})),                     W.REFUSED_403,               Step.AUTHORISE,  403),
    ("unknown token",             lambda it: it.change(secrets=ProbeSecrets(app_secret=APP.secret, token="wrong")), W.REFUSED_403, Step.AUTHORISE, 403),
    ("unauthenticated",           app_answers(401, '{"message":"Unauthenticated."}'),         W.UNAUTHENTICATED_401,       Step.AUTHORISE,  401),
    ("CSRF",                      app_answers(419, "Page Expired"),                           W.CSRF_419,                  Step.AUTHORISE,  419),
    ("to the login",              app_answers(302, Location="http://127.0.0.1/login"),        W.REDIRECT_TO_LOGIN,         Step.AUTHORISE,  302),
    ("to somewhere",              app_answers(301, Location="https://evil.invalid/x"),        W.REDIRECT,                  Step.AUTHORISE,  301),
    ("no such route",             app_answers(404, "Not Found"),                              W.ROUTE_MISSING_404,         Step.AUTHORISE,  404),
    ("throttled",                 app_answers(429),                                           W.THROTTLED_429,             Step.AUTHORISE,  429),
    ("maintenance",               app_answers(503),                                           W.MAINTENANCE_503,           Step.AUTHORISE,  503),
    ("an exception",              app_answers(500),                                           W.SERVER_ERROR_5XX,          Step.AUTHORISE,  500),
    ("a teapot",                  app_answers(418),                                           W.UNEXPECTED_STATUS,         Step.AUTHORISE,  418),
    ("empty",                     app_answers(200),                                           W.EMPTY_200,                 Step.AUTHORISE,  200),
    ("a page",                    app_answers(200, "<html>SPA</html>"),                       W.NOT_JSON_200,              Step.AUTHORISE,  200),
    ("JSON of something else",    app_answers(200, '{"ok":true}'),                            W.NO_AUTH_200,               Step.AUTHORISE,  200),
    ("a challenge",               app_answers(403, CHALLENGE, Content_Type="text/html"),      W.WAF_CHALLENGE,             Step.AUTHORISE,  403),
    ("a challenge with 200",      app_answers(200, CHALLENGE, Content_Type="text/html"),      W.WAF_CHALLENGE,             Step.AUTHORISE,  200),
    ("no route at preflight",     lambda it: it.app_is(saying("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")), W.ROUTE_MISSING_404, Step.PREFLIGHT, 404),
    ("outside the CORS paths",    lambda it: it.app_is(saying("HTTP/1.1 200 OK\r\nAllow: GET,HEAD,POST\r\nContent-Length: 0\r\n\r\n")), W.BLOCKED_BY_CORS, Step.PREFLIGHT, 200),
    ("no CORS",                   no_cors,                                                 W.BLOCKED_BY_CORS,           Step.PREFLIGHT,  204),
    ("the app is away",           lambda it: it.change(auth_endpoint=f"http://127.0.0.1:{closed_port()}/x"), W.CONNECTION_REFUSED, Step.CONNECT, None),
    ("the app resets",            lambda it: it.app_is(reset),                             W.CONNECTION_RESET,          Step.PREFLIGHT,  None),
    # --- what it signed
    ("another app",               app_signs(signs_as=OTHER),                               W.SIGNED_WITH_OTHER_KEY,     Step.SIGNATURE,  None),
    ("another secret",            app_signs(signs_as=MISSIGNED),                           W.SIGNED_WITH_OTHER_SECRET,  Step.SIGNATURE,  None),
    ("an earlier socket",         sign_for_the_last_socket,                                W.SIGNED_FOR_OTHER_SOCKET,   Step.SIGNATURE,  None),
    ("a bare channel",            app_signs(signs_for_channel="live-refresh.0"),           W.SIGNED_FOR_OTHER_CHANNEL,  Step.SIGNATURE,  None),
    ("garbage for a signature",   app_answers(200, '{"auth":"k:garbage"}', Access_Control_Allow_Origin="*"), W.NO_AUTH_200, Step.SIGNATURE, None),
    # --- the channel
    ("not authorised",            subscribing(4009),                                       W.ERROR_4009_UNAUTHORISED,   Step.SUBSCRIBE,  4009),
    ("subscription malformed",    subscribing(4200),                                       W.ERROR_4200,                Step.SUBSCRIBE,  4200),
]
# fmt: on


@pytest.mark.parametrize(("what", "spoil", "outcome", "step", "number"), ENDS, ids=[row[0] for row in ENDS])
async def test_an_auth_probe_ends_with_the_outcome_and_the_step_of_the_fault(
    what: str, spoil: Spoil, outcome: AuthProbeOutcome, step: Step, number: int | None
) -> None:
    """Each row is one way of misbehaving."""
    async with world() as it:
        spoiling = spoil(it)
        if spoiling is not None:
            await spoiling
        probed = await it.auth_probe()
        assert (probed.outcome, probed.step, probed.number) == (outcome, step, number), (what, probed)
        assert probed.steps[-1].is_ok is (outcome is W.OK)
        assert probed.took_ms > 0


async def test_every_step_of_a_clean_auth_probe_is_timed_and_recorded(certificates: Certificates) -> None:
    """Name resolution and TLS are steps of their own."""
    async with world() as it:
        probed = await it.auth_probe()
        assert [taken.step for taken in probed.steps] == [Step.CONNECT, Step.UPGRADE, Step.ESTABLISH, Step.CONNECT, Step.PREFLIGHT, Step.CONNECT, Step.AUTHORISE, Step.SIGNATURE, Step.SUBSCRIBE]  # fmt: skip
        assert all(taken.took_ms >= 0 and taken.is_ok for taken in probed.steps)
        await it.reverb_is(
            saying("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            certificates.serving("localhost"),
            "localhost",
        )
        probed = await it.auth_probe()
        assert [taken.step for taken in probed.steps] == [Step.RESOLVE, Step.CONNECT, Step.TLS, Step.UPGRADE]


TLS = [
    ("a name of another", "other.test", True, False, W.TLS_WRONG_HOST),
    ("signed by itself", "localhost", False, False, W.TLS_UNTRUSTED),
    ("expired", "localhost", True, True, W.TLS_EXPIRED),
]


@pytest.mark.parametrize(("what", "name", "is_signed", "is_expired", "outcome"), TLS, ids=[row[0] for row in TLS])
async def test_each_fault_of_a_certificate_has_its_outcome(
    certificates: Certificates, what: str, name: str, outcome: AuthProbeOutcome, *, is_signed: bool, is_expired: bool
) -> None:
    """Each fault has its own remedy."""
    async with world() as it:
        tls = certificates.serving(name, is_signed=is_signed, is_expired=is_expired)
        await it.reverb_is(hang, tls, "localhost")
        probed = await it.auth_probe()
        assert (probed.outcome, probed.step) == (outcome, Step.TLS), what


async def test_tls_to_a_plain_port_has_its_outcome() -> None:
    """REVERB_SCHEME is https, but Reverb listens without TLS."""
    async with world() as it:
        port = await it.serve(saying("HTTP/1.1 400 Bad Request\r\n\r\n"))
        answering = await it.serve(_plain)
        it.change(socket_url=f"wss://localhost:{answering}/app/k")
        probed = await it.auth_probe()
        assert (probed.outcome, probed.step) == (W.TLS_NOT_SPOKEN, Step.TLS), port


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    writer.close()


async def test_another_tls_failure_has_its_outcome() -> None:
    """The server closes the connection during the handshake."""
    async with world() as it:
        it.change(socket_url=f"wss://localhost:{await it.serve(close)}/app/k")
        probed = await it.auth_probe()
        assert (probed.outcome, probed.step) == (W.TLS_OTHER, Step.TLS)


def freeze_app(it: World) -> None:
    """Accept requests at the app, and answer none."""
    it.app.faults.is_frozen = True


def mute(it: World) -> None:
    """Answer no subscription at Reverb."""
    it.reverb.faults.is_mute = True


def full_backlog(it: World) -> None:
    """Fill a listener's backlog, so that the kernel drops connections as a firewall does."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    for held in (listening, *(_connecting(listening.getsockname()) for _ in range(4))):
        it.hold(held)
    it.change(socket_url=f"ws://127.0.0.1:{listening.getsockname()[1]}/app/k")


def _connecting(address: tuple[str, int]) -> socket.socket:
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(address)
    return one


def busy_resolver(it: World) -> None:
    """Delay name resolution: the resolver does not answer."""
    it.resolver_hangs()
    it.change(socket_url="ws://localhost:1/app/k")


async def hanging_tls(it: World) -> None:
    """Accept the connection, and answer no TLS handshake."""
    it.change(socket_url=f"wss://localhost:{await it.serve(hang)}/app/k")


async def hanging_login(it: World) -> None:
    """Answer no login request."""
    it.change(csrf_url=f"http://127.0.0.1:{await it.serve(hang)}/csrf", login=Credentials.COOKIE)


# fmt: off
TIMEOUTS: list[tuple[AuthProbeOutcome, Spoil]] = [
    (W.TIMEOUT_RESOLVE,   busy_resolver),
    (W.TIMEOUT_CONNECT,   full_backlog),
    (W.TIMEOUT_TLS,       hanging_tls),
    (W.TIMEOUT_UPGRADE,   lambda it: it.reverb_is(hang)),
    (W.TIMEOUT_ESTABLISH, greeting("silence")),
    (W.TIMEOUT_LOGIN,     hanging_login),
    (W.TIMEOUT_PREFLIGHT, freeze_app),
    (W.TIMEOUT_AUTHORISE, lambda it: freeze_same_origin(it)),
    (W.TIMEOUT_SUBSCRIBE, mute),
]
# fmt: on


def freeze_same_origin(it: World) -> None:
    """Freeze the app at the page's own origin, so that there is no preflight."""
    it.change(origin=it.target.auth_endpoint.removesuffix("/broadcasting/auth"))
    freeze_app(it)


@pytest.mark.parametrize(("outcome", "spoil"), TIMEOUTS, ids=[row[0] for row in TIMEOUTS])
async def test_a_timeout_names_the_step_that_was_reached(outcome: AuthProbeOutcome, spoil: Spoil) -> None:
    """The caller sets the deadline."""
    async with world() as it:
        spoiling = spoil(it)
        if spoiling is not None:
            await spoiling
        probed = await it.auth_probe(within_s=0.5)
        assert (probed.outcome, probed.step) == (outcome, Step(outcome.removeprefix("timeout_")))
        it.reverb.faults.is_frozen = it.app.faults.is_frozen = False


def test_every_outcome_is_produced_here() -> None:
    """Every outcome of the closed set occurs in a row of this file."""
    produced = {row[2] for row in ENDS} | {row[4] for row in TLS} | {row[0] for row in TIMEOUTS}
    elsewhere = {W.TLS_NOT_SPOKEN, W.TLS_OTHER, W.LOGIN_REFUSED}
    assert produced | elsewhere == set(AuthProbeOutcome)
