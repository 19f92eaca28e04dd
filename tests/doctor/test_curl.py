"""A browser's "Copy as cURL" is parsed in every form, never run, inspected, and sent again only to the configured host."""

import msgspec
import pytest

from sidecar.config import Probe, ProbeSecrets, Reverb
from sidecar.core.facts.auth_probes import AuthProbeOutcome as W
from sidecar.doctor import examine_curl, read_curl
from sidecar.doctor.curl import findings, masked
from sidecar.ports import ErrorCode, SidecarError
from tests.probes.world import APP, ORIGIN, TOKEN, World, world

GOOD = """\
curl 'https://app.example.test/api/broadcasting/auth' \\
  -H 'accept: */*' \\
  -H 'authorization: Bearer 1|abcdefgh' \\
  -H 'content-type: application/x-www-form-urlencoded' \\
  -H 'origin: https://app.example.test' \\
  -H 'x-requested-with: XMLHttpRequest' \\
  --data-raw 'socket_id=123.456&channel_name=private-live-refresh.7'
"""
CMD = GOOD.replace("'", '^"').replace(" \\\n", " ^\n").replace("&", "^&")
ENDPOINT, CHANNEL = "https://app.example.test/api/broadcasting/auth", "private-live-refresh.{user_id}"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        CMD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("--data-raw '", "--data-raw $'"),
        GOOD + "  --compressed -s --insecure\n",
        GOOD.replace("curl ", "curl -XPOST -o /dev/null -x http://proxy.test:8080 "),
        GOOD.replace("-H 'accept", "-H'accept"),
        "\ufeff\n$ " + GOOD,
    ],
)
def test_every_form_that_browsers_copy_is_parsed(text: str) -> None:
    """Commands for bash and for cmd are parsed, with any other options."""
    request = read_curl(text)
    assert (request.method, request.url) == ("POST", "https://app.example.test/api/broadcasting/auth")
    assert request.fields == {"socket_id": "123.456", "channel_name": "private-live-refresh.7"}
    assert request.headers["authorization"] == "Bearer 1|abcdefgh"
    assert findings(request, auth_endpoint=ENDPOINT, channel=CHANNEL) == []


# fmt: off
QUOTED = [
    # what a browser copied,                               what it had sent
    ("""$'it\\'s \\u0021 \\\\ \\n.'""",           "it's ! \\ \n."),
    ("""$'\\ud83d\\ude00'""",                          "\U0001f600"),
    ("""$'\\ud83d'""",                                   "\ufffd"),
    ("""'costs 5$'""",                                     "costs 5$"),
    ('''"say $'no' \\"twice\\""''',                  "say $'no' \"twice\""),
    ("""'a'$'\\u0021''b'""",                             "a!b"),
]
# fmt: on


@pytest.mark.parametrize(("copied_as", "sent"), QUOTED)
def test_quotes_are_parsed_as_bash_does(copied_as: str, sent: str) -> None:
    """Chrome writes $'…' around a quote, a newline or a `!`; parsed otherwise, another body would be sent again."""
    assert read_curl(f"curl https://a.test/ --data-raw {copied_as}").body == sent


def test_a_copy_for_windows_is_parsed_as_cmd_does() -> None:
    """Chrome writes a caret before each special character of cmd, and after each percent sign."""
    text = 'curl ^"https://a.test/b^" ^\n  --data-raw ^"^{^\\^"a^\\^":^\\^"b^%^20^&c^\\^\\d^\\^"^}^"'
    assert read_curl(text).body == '{"a":"b%20&c\\d"}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD + " ;\n" + GOOD,
        CMD + " &\r\n" + CMD,
        "curl https://a.test/ -X 'P T'",
        "curl https://a.test/ -H $'accept: a\\nx: y'",
        "curl $'https://a.test/\\n'",
        'Invoke-WebRequest -UseBasicParsing -Uri "https://a.test/"',
        "wget https://x",
        "curl",
        "curl 'ftp://x/y'",
        "curl 'https://x",
        "curl file:///etc/passwd",
        "curl https://[x",
        "curl https://a.test:99999/",
        "\x00",
    ],
)
def test_other_texts_are_refused_with_a_remedy(text: str) -> None:
    """The error describes how to copy the right request."""
    with pytest.raises(SidecarError, match="Copy as cURL"):
        read_curl(text)


# fmt: off
FAULTS = [
    # what is changed in the good one,                                                        text of the finding
    (("  -H 'authorization: Bearer 1|abcdefgh' \\\n", ""),                                    "It has no credentials"),
    (("Bearer 1|abcdefgh", "Bearer undefined"),                                               "has no token in it"),
    (("Bearer 1|abcdefgh", "Bearer "),                                                        "has no token in it"),
    (("/api/broadcasting/auth", "/broadcasting/auth"),                                        "whose default guard is the session's"),
    (("/api/broadcasting/auth", "/pusher/auth"),                                              "pusher-js's own default"),
    (("https://app.example.test/api", "https://api.example.test/api"),                        "Its host is not that of"),
    (("socket_id=123.456", "socket_id=undefined"),                                            "socket_id is missing"),
    (("socket_id=123.456", "socket_id=abc"),                                                  "not two numbers with a dot"),
    (("private-live-refresh.7", "live-refresh.7"),                                            "has no private- prefix"),
    (("private-live-refresh.7", "private-private-live-refresh.7"),                            "has its prefix twice"),
    (("private-live-refresh.7", "private-live-refresh.undefined"),                            "has no user id"),
    (("private-live-refresh.7", "private-orders.7"),                                          "does not match"),
    (("&channel_name=private-live-refresh.7", ""),                                            "channel_name is missing"),
    (("authorization: Bearer 1|abcdefgh", "cookie: theme=dark"),                              "looks like a session"),
    (("authorization: Bearer 1|abcdefgh", "cookie: app_session=abc"),                         "no CSRF token"),
    (("curl ", "curl -X PUT "),                                                               "pusher-js sends POST"),
]
# fmt: on


@pytest.mark.parametrize(("change", "text"), FAULTS)
def test_each_fault_of_a_request_is_found(change: tuple[str, str], text: str) -> None:
    """Each row is a request that Laravel answers with 403, 419 or 500."""
    request = read_curl(GOOD.replace(*change))
    found = findings(request, auth_endpoint=ENDPOINT, channel=CHANNEL)
    assert any(text in each for each in found), found


def test_a_correct_request_of_pusher_js_has_no_finding() -> None:
    """pusher-js sends no X-Requested-With and accepts any type, which matters only for guests."""
    plain = GOOD.replace("  -H 'x-requested-with: XMLHttpRequest' \\\n", "")
    assert plain != GOOD
    assert findings(read_curl(plain), auth_endpoint=ENDPOINT, channel=CHANNEL) == []
    guest = plain.replace("  -H 'authorization: Bearer 1|abcdefgh' \\\n", "")
    assert "as pusher-js does" in findings(read_curl(guest), auth_endpoint=ENDPOINT, channel=CHANNEL)[-1]


def test_a_guest_from_another_origin_is_a_finding_with_its_reason() -> None:
    """pusher-js sends no cookies to another origin."""
    text = GOOD.replace("  -H 'authorization: Bearer 1|abcdefgh' \\\n", "").replace(
        "origin: https://app", "origin: https://www"
    )
    assert "which pusher-js never sets" in findings(read_curl(text), auth_endpoint=None, channel=None)[0]


def test_credentials_are_not_shown() -> None:
    """A token in a bug report could be used by anyone who reads it."""
    odd = "-H 'Bearer l0ne' -H $'\\u001b[2J: x' "
    text = GOOD.replace("-H 'accept", odd + "-b 'app_session=s3ss10n' -u 'ann:hunter2' -H 'x-api-key: k3y' -H 'accept")
    shown = "\n".join(masked(read_curl(text)))
    assert "private-live-refresh.7" in shown
    assert not any(secret in shown for secret in ("abcdefgh", "s3ss10n", "hunter2", "k3y", "l0ne", "\x1b"))


def reverb_of(it: World) -> Reverb:
    """Return the configuration of a world."""
    return Reverb(
        url=f"ws{it.target.api_url.removeprefix('http')}",
        app_id=APP.app_id,
        app_key=APP.key,
        origin=ORIGIN,
        auth_endpoint=it.target.auth_endpoint,
        probe=Probe(user_id="0"),
    )


def copied(it: World, token: str = TOKEN, socket_id: str = "12.34") -> str:
    """Return the command that a browser copies there."""
    return (
        f"curl '{it.target.auth_endpoint}' -H 'origin: {ORIGIN}' -H 'accept: */*' -H 'authorization: Bearer {token}' "
        f"-H 'content-type: application/x-www-form-urlencoded' --data-raw 'socket_id={socket_id}&channel_name=private-live-refresh.0'"
    )


async def test_a_replayed_request_has_the_outcome_of_its_response() -> None:
    """The outcomes are those of an auth probe: refused, wrongly signed, blocked, or ok."""
    secrets = ProbeSecrets(app_secret=APP.secret)
    async with world() as it:
        reverb = reverb_of(it)

        async def outcome(text: str) -> str | None:
            return (await examine_curl(read_curl(text), reverb, secrets, is_replayed=True)).outcome

        assert await outcome(copied(it)) is W.OK
        assert await outcome(copied(it, token="wrong")) is W.REFUSED_403
        it.app.faults.signs_as = msgspec.structs.replace(APP, secret="another")
        assert await outcome(copied(it)) is W.SIGNED_WITH_OTHER_SECRET
        it.app.faults.signs_as, it.app.faults.has_cors = None, False
        assert await outcome(copied(it)) is W.BLOCKED_BY_CORS
        await it.app.stop()
        assert await outcome(copied(it)) is W.CONNECTION_REFUSED


async def test_a_request_is_sent_again_only_to_the_configured_host() -> None:
    """A file from somebody else must not make the doctor send requests to another host."""
    async with world() as it:
        elsewhere = read_curl(copied(it).replace(it.target.auth_endpoint, "http://127.0.0.1:1/broadcasting/auth"))
        with pytest.raises(SidecarError, match="only to the host of") as caught:
            await examine_curl(elsewhere, reverb_of(it), ProbeSecrets(app_secret=None), is_replayed=True)
        assert caught.value.code is ErrorCode.CONFIG_INVALID
        with pytest.raises(SidecarError, match="--replay needs"):
            await examine_curl(elsewhere, None, ProbeSecrets(app_secret=None), is_replayed=True)
        assert it.app.requests == []


async def test_a_replayed_request_shows_no_secret() -> None:
    """Browsers copy header names in lower case, and the URL may contain a token."""
    async with world() as it:
        text = copied(it).replace("/broadcasting/auth'", "/broadcasting/auth?api_key=qu3ry'")
        text = text.replace(" -H 'accept", " -b 'app_session=s3ss10n; l0ne' -H 'x-csrf-token: csrft0ken' -H 'accept")
        result = await examine_curl(
            read_curl(text), reverb_of(it), ProbeSecrets(app_secret=APP.secret), is_replayed=True
        )
        sent = {name.lower(): value for name, value in it.app.requests[-1][2].items()}
    assert (sent["authorization"], sent["x-csrf-token"]) == (f"Bearer {TOKEN}", "csrft0ken")
    assert "authorization: Bearer ***" in result.steps[-1].sent
    assert "app_session=***" in result.steps[-1].sent
    assert not any(secret in str(result) for secret in (TOKEN, "s3ss10n", "l0ne", "csrft0ken", "qu3ry"))


async def test_a_password_in_the_url_or_an_option_is_sent_and_not_shown() -> None:
    """A site behind basic authentication needs it, as with curl."""
    async with world() as it:
        reverb, token = reverb_of(it), f" -H 'authorization: Bearer {TOKEN}'"
        for text in (
            copied(it).replace("http://", "http://ann:hunter2@", 1).replace(token, ""),
            copied(it).replace(token, " -u ann:hunter2"),
        ):
            request = read_curl(text)
            for is_replayed in (False, True):
                result = await examine_curl(
                    request, reverb, ProbeSecrets(app_secret=APP.secret), is_replayed=is_replayed
                )
                assert not any(secret in str(result) for secret in ("hunter2", "YW5uOmh1bnRlcjI=")), result
            sent = {name.lower(): value for name, value in it.app.requests[-1][2].items()}
            assert sent["authorization"] == "Basic YW5uOmh1bnRlcjI="


async def test_without_replay_nothing_is_sent() -> None:
    """Without --replay the request is only inspected."""
    async with world() as it:
        result = await examine_curl(
            read_curl(copied(it, socket_id="undefined")),
            reverb_of(it),
            ProbeSecrets(app_secret=None),
            is_replayed=False,
        )
        assert it.app.requests == []
    assert (result.exit_code, result.outcome) == (1, None)
    assert any("socket_id" in reason for reason in result.reasons)
