"""The doctor names every outcome and every recorded fault, with its remedy."""

import asyncio
import io
import json
import os
import sys
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from sidecar.causes import CAUSES, ROUND_TRIPS, cause_of
from sidecar.config import ProbeSecrets
from sidecar.core.facts.auth_probes import AuthProbeOutcome as W
from sidecar.core.facts.auth_probes import RoundTripOutcome
from sidecar.doctor import Diagnosis, print_diagnosis
from sidecar.doctor.examination import examine_by
from sidecar.doctor.refusal import reason_in
from sidecar.pusher.messages import Established, read
from tests.captures import SECRET, lines, recorded
from tests.doctor.recorded import auth_response_of, frames_of, replaying, signed, welcome
from tests.probes.certificates import Certificates
from tests.probes.test_auth_probe import ENDS, TIMEOUTS, TLS, Spoil
from tests.probes.world import APP, PASSWORD, TOKEN, hang, world


def shown(result: Diagnosis, width: int = 100) -> str:
    """Return the screen of a diagnosis."""
    console = Console(width=width, record=True, file=io.StringIO())
    print_diagnosis(console, result)
    return console.export_text()


def test_every_outcome_has_a_remedy_and_its_own_exit_code() -> None:
    """A pipeline can distinguish outcomes by their exit codes."""
    assert set(CAUSES) == set(W)
    assert set(ROUND_TRIPS) == set(RoundTripOutcome) - {RoundTripOutcome.OK}
    codes = [cause.exit_code for cause in (*CAUSES.values(), *ROUND_TRIPS.values())]
    assert len(set(codes)) == len(codes)
    assert all(code not in {1, 2} and code < 126 for code in codes), "1, 2 and those of the shell are taken"
    for outcome in W:
        for is_at_app in (False, True):
            cause = cause_of(outcome, is_at_app=is_at_app)
            assert cause.exit_code == CAUSES[outcome].exit_code
            assert cause.sentence.endswith(".")
            assert outcome is W.OK or (cause.reasons and cause.changes), outcome


@pytest.mark.parametrize(("what", "spoil", "outcome"), [row[:3] for row in ENDS], ids=[row[0] for row in ENDS])
async def test_the_doctor_has_the_outcomes_of_the_auth_probe(what: str, spoil: Spoil, outcome: W) -> None:
    """The screen shows the outcome and its meaning, and no secret."""
    async with world() as it:
        spoiling = spoil(it)
        if spoiling is not None:
            await spoiling
        result = await examine_by(it.auth_prober, within_s=60)
        screen = shown(result)
    assert (result.outcome, result.exit_code) == (outcome, CAUSES[outcome].exit_code), what
    assert result.sentence in " ".join(screen.split())
    assert not any(secret in screen for secret in (APP.secret, TOKEN, PASSWORD))


# fmt: off
CANARIES = [
    # what is wrong with Reverb,                                               outcome
    ({"is_deaf": True},                                                        RoundTripOutcome.LOST),
    ({"api_status": 403},                                                      RoundTripOutcome.API_STATUS),
    ({"api_status": 404},                                                      RoundTripOutcome.API_APP_UNKNOWN_404),
    ({"api_status": 401},                                                      RoundTripOutcome.API_SIGNATURE_401),
    ({"delay_s": 3.0},                                                         RoundTripOutcome.LOST),
    ({},                                                                       W.OK),
]
# fmt: on


@pytest.mark.parametrize(("faults", "outcome"), CANARIES)
async def test_after_a_clean_auth_probe_an_event_is_sent_and_awaited(faults: dict[str, object], outcome: str) -> None:
    """A browser may subscribe and receive no event, because Redis is down or a proxy forwards only /app."""
    async with world() as it:
        for name, value in faults.items():
            setattr(it.reverb.faults, name, value)
        result = await examine_by(it.auth_prober, within_s=60)
        screen = shown(result)
    assert (result.outcome, result.steps[-1].step) == (outcome, "deliver")
    assert result.sentence in " ".join(screen.split())
    assert APP.secret not in screen


async def test_a_narrow_screen_keeps_its_margin() -> None:
    """Continued lines keep their indentation at 80 columns."""
    async with world() as it:
        it.reverb.faults.is_deaf = True
        screen = shown(await examine_by(it.auth_prober, within_s=60), width=80).splitlines()
    assert all(len(line) <= 80 and line.startswith(("  ", "sidecar doctor")) for line in screen if line.strip())


async def test_an_unreachable_api_is_distinguished_from_a_reachable_socket() -> None:
    """A proxy may forward /app and not /apps, or Laravel may use another address than browsers."""
    async with world() as it:
        it.change(api_url="http://127.0.0.1:9")
        result = await examine_by(it.auth_prober, within_s=60)
    assert (result.outcome, result.exit_code) == (RoundTripOutcome.API_UNREACHABLE, 83)


@pytest.mark.parametrize(("outcome", "spoil"), TIMEOUTS, ids=[row[0] for row in TIMEOUTS])
async def test_the_doctor_names_the_step_of_a_timeout(outcome: W, spoil: Spoil) -> None:
    """Each step that can hang has its own outcome."""
    async with world() as it:
        spoiling = spoil(it)
        if spoiling is not None:
            await spoiling
        result = await examine_by(it.auth_prober, within_s=0.5)
        it.reverb.faults.is_frozen = it.app.faults.is_frozen = False
    assert (result.outcome, result.exit_code) == (outcome, CAUSES[outcome].exit_code)
    assert f"✗ {result.step}" in shown(result)


@pytest.mark.parametrize(
    ("name", "is_signed", "is_expired", "outcome"), [row[1:] for row in TLS], ids=[row[0] for row in TLS]
)
async def test_the_doctor_names_the_fault_of_a_certificate(
    name: str, outcome: W, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_signed: bool, is_expired: bool
) -> None:
    """Each fault has its own remedy."""
    certificates = Certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    async with world() as it:
        tls = certificates.serving(name, is_signed=is_signed, is_expired=is_expired)
        await it.reverb_is(hang, tls, "localhost")
        result = await examine_by(it.auth_prober, within_s=60)
    assert (result.outcome, result.exit_code) == (outcome, CAUSES[outcome].exit_code)


# fmt: off
FOLDERS = [
    # folder,                         outcome
    ("01-happy",                      W.OK),
    ("02-auth-403-callback-false",    W.REFUSED_403),
    ("03-auth-403-other-user",        W.REFUSED_403),
    ("08-laravel-has-wrong-secret",   W.SIGNED_WITH_OTHER_SECRET),
    ("10-laravel-cannot-reach-reverb", W.OK),
]
# fmt: on


@pytest.mark.parametrize(("folder", "outcome"), FOLDERS)
async def test_a_recorded_scenario_has_its_outcome(folder: str, outcome: W) -> None:
    """Real bytes of Laravel and Reverb; if only Laravel's connection to Reverb failed, the auth probe is ok."""
    async with replaying(frames_of(folder), auth_response_of(folder)) as auth_prober:
        result = await (
            auth_prober.auth_probe(within_s=60) if outcome is W.OK else examine_by(auth_prober, within_s=60)
        )
    assert result.outcome is outcome


@pytest.mark.parametrize("folder", ["16-reverb-sigterm", "16-reverb-sigkill", "16-reverb-restart"])
async def test_a_recorded_stop_of_reverb_has_its_outcome(folder: str) -> None:
    """Reverb closes the connection without an error, and then no process listens, as recorded."""
    recording = lines(f"{folder}/ws.jsonl")
    first, second = ([line["dir"] for line in recording if line["conn"] == number] for number in (1, 2))
    assert first[-1] == "eof"
    assert not any(line.get("ws", {}).get("opcode") == "close" for line in recording if line["conn"] == 1)
    until_asked = frames_of(folder)[:2]  # Reverb stops when the auth probe subscribes
    hello = read(until_asked[0]["payload"])
    assert isinstance(hello, Established)
    async with replaying(until_asked, signed(hello.socket_id), is_dropped=True) as auth_prober:
        result = await examine_by(auth_prober, within_s=60)
    assert (result.outcome, result.step) == (W.CLOSED_WITHOUT_FRAME, "subscribe")
    assert second[-1] == "refused"
    async with replaying(None, "") as auth_prober:
        assert (await examine_by(auth_prober, within_s=60)).outcome is W.CONNECTION_REFUSED


async def test_a_frozen_reverb_has_its_outcome() -> None:
    """`17-reverb-hung-sigstop` has only what pusher-js received: an open socket, and a ping without an answer."""
    async with replaying([{"dir": "out", "payload": ""}], "") as auth_prober:
        assert (await examine_by(auth_prober, within_s=0.3)).outcome is W.TIMEOUT_ESTABLISH


# fmt: off
ANSWERS = [
    # recording,                               outcome
    ("auth-200",                               W.OK),
    ("auth-403-callback-false-json",           W.REFUSED_403),
    ("auth-403-callback-false-star-accept",    W.REFUSED_403),
    ("auth-403-callback-false-xhr",            W.REFUSED_403),
    ("auth-403-no-channel-name-json",          W.REFUSED_403),
    ("auth-403-no-matching-channel-json",      W.REFUSED_403),
    ("auth-403-no-token-web-group-json",       W.REFUSED_403),
    ("auth-403-other-user-json",               W.REFUSED_403),
    ("api-auth-401-json",                      W.UNAUTHENTICATED_401),
    ("api-auth-401-no-accept",                 W.SERVER_ERROR_5XX),           # no route named login
    ("auth-bad-socket-id-json",                W.SERVER_ERROR_5XX),
    ("auth-missing-socket-id-json",            W.SERVER_ERROR_5XX),
    ("auth-jsonp-callback",                    W.NOT_JSON_200),
    ("csrf-419-json",                          W.CSRF_419),
    ("404-json",                               W.ROUTE_MISSING_404),
    ("405-json",                               W.UNEXPECTED_STATUS),
]
# fmt: on


@pytest.mark.parametrize(("name", "outcome"), ANSWERS)
async def test_a_recorded_response_of_laravel_has_its_outcome(name: str, outcome: W) -> None:
    """Laravel's recorded bytes are served behind a healthy Reverb."""
    async with replaying(welcome(), recorded("http-app")[name]["response"]) as auth_prober:
        result = await (
            auth_prober.auth_probe(within_s=60) if outcome is W.OK else examine_by(auth_prober, within_s=60)
        )
    assert result.outcome is outcome


# fmt: off
SOCKETS = [
    # recording,                               outcome
    ("connected",                              W.TIMEOUT_SUBSCRIBE),          # the recording ends here
    ("connection-limit-exceeded",              W.ERROR_4004),
    ("origin-disallowed",                      W.ERROR_4009_ORIGIN),
    ("origin-missing",                         W.ERROR_4009_ORIGIN),
    ("subscribe-bad-signature",                W.ERROR_4009_UNAUTHORISED),
    ("subscribe-signature-of-other-socket",    W.ERROR_4009_UNAUTHORISED),
    ("subscribe-missing-channel",              W.ERROR_4200),
    ("unknown-pusher-event",                   W.ERROR_4200),
    ("wrong-app-key",                          W.ERROR_4001),
    ("subscribe-ok",                           W.OK),
]
# fmt: on


@pytest.mark.parametrize(("name", "outcome"), SOCKETS)
async def test_a_recorded_connection_has_its_outcome(name: str, outcome: W) -> None:
    """Reverb's recorded frames are served beside an app that signs correctly."""
    exchange = recorded("ws")[name]
    is_dropped = exchange["close"] is not None
    async with replaying(exchange["frames"], signed(exchange.get("sid", "1.1")), is_dropped=is_dropped) as auth_prober:
        within_s = 0.5 if outcome is W.TIMEOUT_SUBSCRIBE else 60.0
        result = await (
            auth_prober.auth_probe(within_s=within_s) if outcome is W.OK else examine_by(auth_prober, within_s=within_s)
        )
    assert result.outcome is outcome


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"message":""}', None),
        ("<html>", None),
        ('{"message":"","file":"/x/PusherBroadcaster.php","trace":[{"function":"auth"}]}', "no user is logged in"),
        (
            '{"message":"","file":"/x/Broadcaster.php","trace":[{"function":"verifyUserCanAccessChannel"}]}',
            "callback returned false",
        ),
        (
            '{"message":"","file":"/x/Broadcaster.php","trace":[{"function":"resolveImplicitBindingIfPossible"}]}',
            "model",
        ),
        ('{"message":"Your trial is over"}', "Your trial is over"),
    ],
)
def test_the_reason_of_a_403_with_app_debug_is_shown(body: str, text: str | None) -> None:
    """With APP_DEBUG, Laravel includes the reason in a JSON response."""
    reason = reason_in(body.encode())
    assert (reason is None) if text is None else (reason is not None and text in reason)


# fmt: off
REMEDIES = [
    # outcome,             named,                                                        not named
    (W.REDIRECT_TO_LOGIN,  "shouldRenderJsonWhen(fn ($request) => $request->is('broadcasting/*', 'api/*')", "redirectGuestsTo"),
    (W.SERVER_ERROR_5XX,   "shouldRenderJsonWhen",                                       "redirectGuestsTo"),
    (W.CSRF_419,           "remove its host from SANCTUM_STATEFUL_DOMAINS",              "it exempts its route from CSRF"),
    (W.CSRF_419,           "withXSRFToken, after a login with Sanctum's cookie",         "not a route of your own"),
    (W.MAINTENANCE_503,    "--secret=… does not admit the sidecar",                      "lets the sidecar"),
    (W.REFUSED_403,        "only to requests with Accept: application/json",             "names the cause"),
    (W.ROUTE_MISSING_404,  "OPTIONS only if the path has no route",                      "CORS"),
    (W.BLOCKED_BY_CORS,    "The route exists, or the preflight would be a 404",          "route:list"),
]
# fmt: on


@pytest.mark.parametrize(("outcome", "named", "unnamed"), REMEDIES)
def test_a_remedy_works_on_a_real_laravel(outcome: W, named: str, unnamed: str) -> None:
    """Each row is a fact from a run beside Laravel 11.56 and 12.67 with Sanctum and Reverb 1.10."""
    cause = CAUSES[outcome]
    text = " ".join((*cause.reasons, *cause.changes))
    assert named in text
    assert unnamed not in text


@pytest.mark.parametrize(
    ("path", "token", "first"),
    [
        ("/broadcasting/auth", TOKEN, "No user is logged in"),
        ("/api/broadcasting/auth", None, "No user is logged in"),
        ("/api/broadcasting/auth", TOKEN, "The callback in routes/channels.php"),
    ],
)
async def test_a_403_to_a_token_under_api_is_not_blamed_on_the_web_guard(
    path: str, token: str | None, first: str
) -> None:
    """The default route with the `web` guard is not under /api, so the callback is the most likely reason there."""
    async with world(is_same_origin=True) as it:
        it.app.faults.status = 403
        secrets = ProbeSecrets(app_secret=APP.secret, token=token)
        endpoint = it.target.auth_endpoint.replace("/broadcasting/auth", path)
        it.change(auth_endpoint=endpoint, secrets=secrets)
        result = await examine_by(it.auth_prober, within_s=60)
    assert result.reasons[0].startswith(first), result


# --- the command


async def doctor(*words: str, **environment: str) -> tuple[int, str, str]:
    """Run the command, and return its exit code, its screen and its errors."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sidecar", "doctor", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip
    out, err = await child.communicate()
    assert child.returncode is not None
    return child.returncode, out.decode(), err.decode()


async def test_the_doctor_needs_no_configuration(tmp_path: Path) -> None:
    """Five options and a token are enough: no configuration, no journal, no Stripe."""
    async with world() as it:
        port = it.target.api_url.rpartition(":")[2]
        words = ("--url", f"ws://127.0.0.1:{port}", "--app-key", APP.key, "--app-id", APP.app_id, "--origin", it.target.origin,
                 "--auth-endpoint", it.target.auth_endpoint, "--user-id", "0", "--config", str(tmp_path / "none.yaml"))  # fmt: skip
        code, out, _ = await doctor(*words, SIDECAR_PROBE_TOKEN=TOKEN)
        assert (code, "Every step passes" in out, "No event was sent" in out) == (0, True, True)
        code, out, _ = await doctor(*words, SIDECAR_PROBE_TOKEN=TOKEN, REVERB_APP_SECRET=APP.secret)
        assert (code, "✓ deliver" in out) == (0, True)
        it.app.faults.signs_as = msgspec.structs.replace(APP, secret="another")
        code, out, _ = await doctor(*words, "--json", SIDECAR_PROBE_TOKEN=TOKEN, REVERB_APP_SECRET=APP.secret)
        result = json.loads(out)
        assert (code, result["outcome"], result["exit_code"]) == (67, "signed_with_other_secret", 67)
        assert result["steps"][-1]["is_ok"] is False
        assert TOKEN not in out
        it.app.faults.signs_as, it.app.faults.refuses = None, frozenset({"0"})
        code, out, _ = await doctor(*words, SIDECAR_PROBE_TOKEN=TOKEN, REVERB_APP_SECRET=APP.secret)
        assert code == 50
        for part in ("✓ establish", "✗ authorise", "Likely reasons, in order:", "What to change:", "Bearer ***"):
            assert part in out
        assert not any(secret in out for secret in (TOKEN, APP.secret, SECRET))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "has no `reverb` to examine: add it, or use options"),
        (("--url", "wss://ws.test"), "required too: --app-key, --origin, --auth-endpoint, --user-id"),
        (("--curl", "/no/such/file"), "paste the browser's 'Copy as cURL' into a file and name it"),
        (("--curl", "/"), "paste the browser's 'Copy as cURL' into a file and name it"),
        (("--curl", "/dev/zero"), "more than 64 KiB"),
        (("--replay",), "--replay needs --curl, with the file of the request"),
        (("--channel", "private-user.{user_id}"), "--app-id and --channel need --url"),
        (("--app-id", "7"), "--app-id and --channel need --url"),
    ],
)
async def test_a_missing_option_is_an_error_with_a_remedy(words: tuple[str, ...], text: str, tmp_path: Path) -> None:
    """The error names each missing option or file."""
    code, _, err = await doctor("--config", str(tmp_path / "none.yaml"), *words)
    assert (code, text in " ".join(err.split())) == (2, True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_a_file_with_a_byte_order_mark_is_read(encoding: str, tmp_path: Path) -> None:
    """Notepad and PowerShell write one at the beginning of a file."""
    file = tmp_path / "request.txt"
    file.write_text("curl 'https://app.test/broadcasting/auth' -X POST", encoding=encoding)
    code, out, err = await doctor("--curl", str(file), "--config", str(tmp_path / "none.yaml"))
    assert (code, err) == (1, "")
    assert "It has no credentials" in " ".join(out.split())
