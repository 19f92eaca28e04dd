"""What a auth probe sends, to whom, and what it keeps to itself: what a browser there would, and no more."""

import asyncio
from pathlib import Path

import pytest

from sidecar import clock
from sidecar.config import Authorizer, Credentials
from sidecar.core.facts.auth_probes import AuthProbeOutcome as W
from sidecar.core.facts.auth_probes import Step
from sidecar.demo.standin.reverb_sockets import Setup
from sidecar.probes.probe_record import Ended
from sidecar.probes.socket import dialled
from sidecar.pusher.signing import App
from tests.e2e.processes import until
from tests.probes.world import APP, TOKEN, close, saying, upgrade, world

MISSIGNED = App(app_id="501", key=APP.key, secret="another")


async def test_a_browser_of_this_origin_is_refused_by_reverb() -> None:
    """`allowed_origins` with a scheme never matches, which is the commonest mistake."""
    async with world(setup=Setup(allowed_origins=("http://app.test.localhost:3000",))) as it:
        assert (await it.auth_probe()).outcome is W.ERROR_4009_ORIGIN
    async with world(setup=Setup(allowed_origins=("*.localhost",))) as it:
        assert (await it.auth_probe()).outcome is W.OK


# --- what is sent


async def test_the_request_is_the_one_that_pusher_js_sends() -> None:
    """As recorded: a form, `*/*`, the bearer token, and nothing else that says who asks."""
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
    """Whatever Echo's `withCredentials` says: so the app sees a guest, and a session is of no use."""
    async with world(login=Credentials.COOKIE) as it:
        probed = await it.auth_probe()
        assert probed.outcome is W.REFUSED_403
        assert "Cookie" not in it.app.requests[-1][2]


@pytest.mark.parametrize("authorizer", Authorizer)
async def test_a_session_of_the_same_origin_is_good(authorizer: Authorizer) -> None:
    """csrf-cookie, login, and then the cookie with every request; the next auth probe logs in no more."""
    async with world(login=Credentials.COOKIE, authorizer=authorizer, is_same_origin=True) as it:
        assert (await it.auth_probe()).outcome is W.OK
        assert (await it.auth_probe()).outcome is W.OK
        assert [request[1] for request in it.app.requests].count("/login") == 1


async def test_axios_sends_its_cookies_to_its_own_site_with_a_preflight() -> None:
    """A custom authorizer with `withCredentials`, as the documentation of Sanctum has it."""
    async with world(login=Credentials.COOKIE, authorizer=Authorizer.AXIOS) as it:
        it.app._origins = ("http://127.0.0.1:3000",)
        it.change(origin="http://127.0.0.1:3000")
        assert (await it.auth_probe()).outcome is W.OK
        headers = it.app.requests[-1][2]
        assert "booking_session" in headers["Cookie"]
        assert headers["X-XSRF-TOKEN"].endswith("=")


@pytest.mark.parametrize("status", [401, 419, 403])
async def test_a_session_that_ended_is_renewed_once(status: int) -> None:
    """Of its own accord: an expired session of ours is not Reverb's fault."""
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
    """A 403 that lasts would be a login a minute: sessions, throttles and noise."""
    async with world(login=Credentials.COOKIE, is_same_origin=True) as it:
        it.app.faults.refuses = frozenset({"0"})
        for _ in range(5):
            assert (await it.auth_probe()).outcome is W.REFUSED_403
        assert [request[1] for request in it.app.requests].count("/login") == 1


async def test_a_login_that_is_refused_is_told_from_a_channel_that_is() -> None:
    """The probe's own password is wrong."""
    async with world(login=Credentials.COOKIE, is_same_origin=True) as it:
        it.app.passwords.clear()
        probed = await it.auth_probe()
        assert (probed.outcome, probed.step, probed.number) == (W.LOGIN_REFUSED, Step.LOGIN, 422)


async def test_a_key_that_reverb_ignores_is_a_note_and_no_failure() -> None:
    """Only what follows the colon is compared, by Reverb and so by us."""
    async with world() as it:
        it.app.faults.signs_as = App(app_id="501", key="old-key", secret=APP.secret)
        probed = await it.auth_probe()
        assert (probed.outcome, len(probed.notes)) == (W.OK, 1)


async def test_without_the_secret_the_subscription_still_tells() -> None:
    """The doctor may be asked before anything is set up."""
    async with world() as it:
        it.change(app=App(app_id="501", key=APP.key, secret=""))
        assert (await it.auth_probe()).outcome is W.OK
        it.app.faults.signs_as = MISSIGNED
        assert (await it.auth_probe()).outcome is W.ERROR_4009_UNAUTHORISED


# --- no weapon


async def test_no_redirect_is_followed_and_no_endless_body_is_read() -> None:
    """What is dialled stands in the configuration, and what is read has a limit."""
    async with world() as it:
        elsewhere: list[str] = []
        good_socket = it.target.socket_url

        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            elsewhere.append("dialled")
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
    ("https://[s3cret",                               "to what is no URL"),
]
# fmt: on


@pytest.mark.parametrize(("location", "shown"), LOCATIONS)
async def test_where_a_redirect_leads_is_shown_without_what_may_be_secret(location: str, shown: str) -> None:
    """The remedy is to write that address; a link for a login may hold a token."""
    async with world() as it:
        it.app.faults.status, it.app.faults.headers = 302, {"Location": location}
        probed = await it.auth_probe()
        assert probed.steps[-1].received.endswith(shown)
        await it.reverb_is(saying(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"))
        to_reverb = await it.auth_probe()
        if "what" not in shown:
            assert to_reverb.steps[-1].received.endswith(shown)
        assert "s3cret" not in f"{probed}{to_reverb}"


async def never_listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Upgrade, ping without end, and never read a pong."""
    await upgrade(reader, writer)
    ping = b'{"event":"pusher:ping","data":{}}'
    while True:
        writer.write((bytes([0x81, len(ping)]) + ping) * 1000)
        await writer.drain()


async def test_a_socket_that_is_never_read_holds_up_neither_a_auth_probe_nor_a_descriptor() -> None:
    """What we have to say cannot be sent: not even the Close frame, for which a polite client waits for ever."""
    async with world() as it:
        await it.reverb_is(never_listen)
        await it.auth_probe(within_s=0.1)
        before, began_s = descriptors(), clock.monotonic_s()
        async with asyncio.timeout(10):
            assert (await it.auth_probe(within_s=1.5)).outcome is W.TIMEOUT_ESTABLISH
            with pytest.raises(Ended):
                await dialled(it.auth_prober.browser, ["private-x"], lambda _: None, within_s=1.5)
        assert clock.monotonic_s() - began_s < 2 * (1.5 + 1.0) + 1.0

        async def are_closed() -> bool:
            return descriptors() <= before

        await until(are_closed, "the sockets are closed", within_s=5)


async def test_no_secret_is_in_what_a_auth_probe_leaves_behind() -> None:
    """Neither token, password, cookie nor secret: it goes into logs, journals and screens."""
    for login in Credentials:
        async with world(login=login, is_same_origin=True) as it:
            probed = str(await it.auth_probe())
            sessions = [each.value for each in it.auth_prober.browser._jar]
            for secret in (APP.secret, TOKEN, "a fine password", "probe@example.test", *sessions):
                assert secret not in probed, (login, secret)


async def test_a_header_that_browsers_take_is_taken() -> None:
    """A Content-Security-Policy of 20 kB is odd, and no reason to say that what answers is no web server."""
    async with world() as it:
        it.app.faults.status, it.app.faults.headers = 403, {"Content-Security-Policy": "x" * 20_000}
        assert (await it.auth_probe()).outcome is W.REFUSED_403


async def test_a_isolation_probe_is_refused_or_let_in() -> None:
    """Only the auth endpoint is asked: no socket is needed for it."""
    async with world() as it:
        assert it.target.isolation_channel is not None
        refused = await it.auth_prober.probe_isolation(it.target.isolation_channel, within_s=5)
        assert (refused.outcome, refused.step) == (W.REFUSED_403, Step.AUTHORISE)
        it.app.faults.lets_everybody_in = True
        allowed = await it.auth_prober.probe_isolation(it.target.isolation_channel, within_s=5)
        assert allowed.outcome is W.OK
        assert len(it.reverb.sockets) == 0


async def test_a_isolation_probe_who_is_let_in_is_noticed_also_where_cors_blocks_scripts() -> None:
    """CORS keeps a page from reading the answer, and nobody else: whoever listens in is no page."""
    async with world() as it:
        it.app.faults.lets_everybody_in, it.app.faults.has_cors = True, False
        assert it.target.isolation_channel is not None
        assert (await it.auth_prober.probe_isolation(it.target.isolation_channel, within_s=5)).outcome is W.OK
        assert [request[0] for request in it.app.requests] == ["POST"]
