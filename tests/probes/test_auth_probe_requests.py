"""An auth probe sends the requests of a browser, and shows no secret."""

import asyncio
from pathlib import Path

import pytest

from sidecar.config import Authorizer, Credentials
from sidecar.core.facts.auth_probes import AuthProbeOutcome as W
from sidecar.core.facts.auth_probes import Step
from sidecar.demo.standin.reverb_sockets import Setup
from sidecar.probes.probe_record import Ended
from sidecar.probes.reverb_socket import subscribed_socket
from sidecar.pusher.signing import App
from tests.e2e.processes import until
from tests.probes.world import APP, TOKEN, close, saying, upgrade, world
from tests.waiting import HANGS_AFTER_S

MISSIGNED = App(app_id="501", key=APP.key, secret="another")


async def test_an_origin_that_reverb_refuses_has_its_outcome() -> None:
    """An entry of `allowed_origins` with a scheme never matches."""
    async with world(setup=Setup(allowed_origins=("http://app.test.localhost:3000",))) as it:
        assert (await it.auth_probe()).outcome is W.ERROR_4009_ORIGIN
    async with world(setup=Setup(allowed_origins=("*.localhost",))) as it:
        assert (await it.auth_probe()).outcome is W.OK


# --- what is sent


async def test_the_request_is_the_one_that_pusher_js_sends() -> None:
    """As recorded: a form, `*/*`, the bearer token, and no other credentials."""
    async with world() as it:
        await it.auth_probe()
        _, _, headers, body = it.app.requests[-1]
        assert body.startswith("socket_id=")
        assert body.endswith("&channel_name=private-live-refresh.0")
        assert headers["Accept"] == "*/*"
        assert headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        assert "Cookie" not in headers
        preflight = it.app.requests[-2]
        assert (preflight[0], preflight[2]["Access-Control-Request-Headers"]) == ("OPTIONS", "authorization")
        assert "Authorization" not in preflight[2]


async def test_pusher_js_sends_no_cookie_to_another_origin() -> None:
    """Echo's `withCredentials` does not change that, so the app sees a guest."""
    async with world(login=Credentials.COOKIE) as it:
        probed = await it.auth_probe()
        assert probed.outcome is W.REFUSED_403
        assert "Cookie" not in it.app.requests[-1][2]


@pytest.mark.parametrize("authorizer", Authorizer)
async def test_a_session_of_the_same_origin_is_reused(authorizer: Authorizer) -> None:
    """csrf-cookie and login come first, then the cookie is sent with every request of later auth probes."""
    async with world(login=Credentials.COOKIE, authorizer=authorizer, is_same_origin=True) as it:
        assert (await it.auth_probe()).outcome is W.OK
        assert (await it.auth_probe()).outcome is W.OK
        assert [request[1] for request in it.app.requests].count("/login") == 1


async def test_axios_sends_its_cookies_to_its_own_site_with_a_preflight() -> None:
    """A custom authorizer with `withCredentials`, as in Sanctum's documentation."""
    async with world(login=Credentials.COOKIE, authorizer=Authorizer.AXIOS) as it:
        it.app._origins = ("http://127.0.0.1:3000",)
        it.change(origin="http://127.0.0.1:3000")
        assert (await it.auth_probe()).outcome is W.OK
        headers = it.app.requests[-1][2]
        assert "booking_session" in headers["Cookie"]
        assert headers["X-XSRF-TOKEN"].endswith("=")


@pytest.mark.parametrize("status", [401, 419, 403])
async def test_an_expired_session_is_renewed_once(status: int) -> None:
    """An expired session of the probe user is not a fault of the app."""
    async with world(login=Credentials.COOKIE, is_same_origin=True) as it:
        await it.auth_probe()
        it.app.forget_sessions()
        it.auth_prober.browser._logged_in_s = -1e9
        if status == 403:
            probed = await it.auth_probe()
            assert (probed.outcome, len(probed.notes)) == (W.OK, 1)
        else:
            it.app.faults.status = status
            probed = await it.auth_probe()
            assert probed.number == status
        assert [request[1] for request in it.app.requests].count("/login") == 2


async def test_a_refused_session_is_not_renewed_in_every_auth_probe() -> None:
    """A permanent 403 would otherwise cause a login every minute."""
    async with world(login=Credentials.COOKIE, is_same_origin=True) as it:
        it.app.faults.refuses = frozenset({"0"})
        for _ in range(5):
            assert (await it.auth_probe()).outcome is W.REFUSED_403
        assert [request[1] for request in it.app.requests].count("/login") == 1


async def test_a_refused_login_is_distinguished_from_a_refused_channel() -> None:
    """The probe user's password is wrong."""
    async with world(login=Credentials.COOKIE, is_same_origin=True) as it:
        it.app.passwords.clear()
        probed = await it.auth_probe()
        assert (probed.outcome, probed.step, probed.number) == (W.LOGIN_REFUSED, Step.LOGIN, 422)


async def test_another_key_before_the_signature_is_a_note() -> None:
    """Reverb compares only the part after the colon."""
    async with world() as it:
        it.app.faults.signs_as = App(app_id="501", key="old-key", secret=APP.secret)
        probed = await it.auth_probe()
        assert (probed.outcome, len(probed.notes)) == (W.OK, 1)


async def test_without_the_secret_the_subscription_shows_a_wrong_signature() -> None:
    """The doctor works before the secret is set."""
    async with world() as it:
        it.change(app=App(app_id="501", key=APP.key, secret=""))
        assert (await it.auth_probe()).outcome is W.OK
        it.app.faults.signs_as = MISSIGNED
        assert (await it.auth_probe()).outcome is W.ERROR_4009_UNAUTHORISED


# --- no weapon


async def test_no_redirect_is_followed_and_no_endless_body_is_read() -> None:
    """Only configured addresses are connected to, and a body is read up to a limit."""
    async with world() as it:
        elsewhere: list[str] = []
        good_socket = it.target.socket_url

        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            elsewhere.append("connected")
            await close(reader, writer)

        port = await it.serve(note)
        for status in (301, 302, 303, 307, 308):
            it.app.faults.status, it.app.faults.headers = status, {"Location": f"http://127.0.0.1:{port}/"}
            await it.auth_probe()
        it.app.faults.status = None
        await it.reverb_is(
            saying(f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n")
        )
        assert (await it.auth_probe()).outcome is W.REDIRECT
        assert elsewhere == []

        async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()

        it.change(login=Credentials.COOKIE, socket_url=good_socket)
        it.change(csrf_url=f"http://127.0.0.1:{await it.serve(endless)}/csrf")
        probed = await it.auth_probe()
        assert probed.steps[-1].received.startswith("200 text/html, 65536 bytes") or "65536 bytes" in str(probed.steps)


def descriptors() -> int:
    """Return how many file descriptors are open."""
    return len(list(Path("/proc/self/fd").iterdir()))


# fmt: off
LOCATIONS = [
    # where a redirect leads,                         what is shown of it
    ("https://app.test/login?token=s3cret#s3cret",    "to https://app.test/login"),
    ("https://ann:s3cret@app.test/x",                 "to https://app.test/x"),
    ("/login?s3cret",                                 "to /login"),
    ("https://[s3cret",                               "to an invalid URL"),
]
# fmt: on


@pytest.mark.parametrize(("location", "shown"), LOCATIONS)
async def test_the_target_of_a_redirect_is_shown_without_its_query(location: str, shown: str) -> None:
    """The remedy needs the address, but the query of a login link may contain a token."""
    async with world() as it:
        it.app.faults.status, it.app.faults.headers = 302, {"Location": location}
        probed = await it.auth_probe()
        assert probed.steps[-1].received.endswith(shown)
        await it.reverb_is(saying(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"))
        to_reverb = await it.auth_probe()
        if "what" not in shown:
            assert to_reverb.steps[-1].received.endswith(shown)
        assert "s3cret" not in f"{probed}{to_reverb}"


async def never_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Upgrade, send pings without end, and read nothing."""
    await upgrade(reader, writer)
    ping = b'{"event":"pusher:ping","data":{}}'
    while True:
        writer.write((bytes([0x81, len(ping)]) + ping) * 1000)
        await writer.drain()


async def test_a_peer_that_reads_nothing_delays_no_auth_probe_and_leaks_no_descriptor() -> None:
    """The Close frame cannot be sent, so the socket is shut down after a second."""
    async with world() as it:
        await it.reverb_is(never_read)
        await it.auth_probe(within_s=0.1)
        before = descriptors()
        async with asyncio.timeout(HANGS_AFTER_S):
            assert (await it.auth_probe(within_s=1.5)).outcome is W.TIMEOUT_ESTABLISH
            with pytest.raises(Ended):
                await subscribed_socket(it.auth_prober.browser, ["private-x"], lambda _: None, within_s=1.5)

        async def are_closed() -> bool:
            return descriptors() <= before

        await until(are_closed, "the sockets are closed")


async def test_no_secret_is_in_the_result_of_an_auth_probe() -> None:
    """The result goes into logs, journals and screens."""
    for login in Credentials:
        async with world(login=login, is_same_origin=True) as it:
            probed = str(await it.auth_probe())
            sessions = [each.value for each in it.auth_prober.browser._jar]
            for secret in (APP.secret, TOKEN, "a fine password", "probe@example.test", *sessions):
                assert secret not in probed, (login, secret)


async def test_a_header_of_20_kb_is_accepted() -> None:
    """Browsers accept a Content-Security-Policy of that size too."""
    async with world() as it:
        it.app.faults.status, it.app.faults.headers = 403, {"Content-Security-Policy": "x" * 20_000}
        assert (await it.auth_probe()).outcome is W.REFUSED_403


async def test_an_isolation_probe_is_refused_or_allowed() -> None:
    """It sends one request to the auth endpoint, without a socket."""
    async with world() as it:
        assert it.target.isolation_channel is not None
        refused = await it.auth_prober.probe_isolation(it.target.isolation_channel, within_s=60)
        assert (refused.outcome, refused.step) == (W.REFUSED_403, Step.AUTHORISE)
        it.app.faults.lets_everybody_in = True
        allowed = await it.auth_prober.probe_isolation(it.target.isolation_channel, within_s=60)
        assert allowed.outcome is W.OK
        assert len(it.reverb.sockets) == 0


async def test_an_allowed_isolation_probe_is_detected_although_cors_blocks_scripts() -> None:
    """CORS restricts pages, and not an attacker."""
    async with world() as it:
        it.app.faults.lets_everybody_in, it.app.faults.has_cors = True, False
        assert it.target.isolation_channel is not None
        assert (await it.auth_prober.probe_isolation(it.target.isolation_channel, within_s=60)).outcome is W.OK
        assert [request[0] for request in it.app.requests] == ["POST"]
