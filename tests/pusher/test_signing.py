"""Signatures: the official vectors, every recorded one, and the part of a wrong signature that is wrong."""

from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from sidecar.pusher.signing import App, Fault, channel_auth, fault_of, signed_target
from tests.captures import APP_ID, KEY, SECRET, recorded

REFERENCE = App(app_id="123456", key="reverb-key", secret="reverb-secret")
OURS = App(app_id=APP_ID, key=KEY, secret=SECRET)


@pytest.mark.parametrize(
    ("channel", "data", "signature"),
    [
        ("private-live-refresh.1", "", "e9d81d40942ace7d9ed6b6bdc42318d6c8690478f28d7a5c5c4de4862f94d414"),
        (
            "presence-room.5",
            '{"user_id":"7","user_info":{"name":"Ann"}}',
            "e1342eb3b8a33c0e4eab4dd4140ae8d25d413e92ec37b7a8e715827cc6905aa2",
        ),
    ],
)
def test_a_channel_is_signed_as_the_official_library_does(channel: str, data: str, signature: str) -> None:
    """The vectors were made with Pusher's own PHP library."""
    assert channel_auth(REFERENCE, "1234.5678", channel, data) == f"reverb-key:{signature}"


def test_a_call_of_the_api_is_signed_as_the_official_library_does() -> None:
    """The MD5 of a body is signed too, but not of an empty one."""
    body = rb'{"name":"App\\Events\\Ping","data":"{\"n\":1}","channel":"private-live-refresh.1"}'
    target = signed_target(REFERENCE, "POST", "/apps/123456/events", body, timestamp_s=1_700_000_000)
    query = dict(parse_qsl(urlsplit(target).query))
    assert query["body_md5"] == "7a23dd88ea29ac62c45803d5743625e1"
    assert query["auth_signature"] == "aea62525d0b510f50bac13f9ee7b07eb341c604908cd3ba112469542f2459841"
    params = {"filter_by_prefix": "private-", "info": "subscription_count"}
    listing = signed_target(REFERENCE, "GET", "/apps/123456/channels", b"", timestamp_s=1_700_000_000, params=params)
    query = dict(parse_qsl(urlsplit(listing).query))
    assert "body_md5" not in query
    assert query["auth_signature"] == "eb8a3940326932232ac1ea5db97a6ca4cc4ad25a46508337e30e6dd57bc8ca5a"


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, each in recorded("reverb-http-api").items()
        if each["response"].startswith("HTTP/1.0 200") and "auth_signature" in each["request"]
    ],
)
def test_every_recorded_call_that_reverb_accepted_has_the_same_signature(name: str) -> None:
    """The sidecar makes the signature of the recording's client, except for the key, which is not checked."""
    head, _, body = recorded("reverb-http-api")[name]["request"].partition("\r\n\r\n")
    method, target, _ = head.splitlines()[0].split(" ")
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query))
    app = OURS if query["auth_key"] == KEY else App(app_id=APP_ID, key=query["auth_key"], secret=SECRET)
    own = {"auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5"}
    made = signed_target(
        app,
        method,
        parts.path,
        body.encode(),
        timestamp_s=int(query["auth_timestamp"]),
        params={key: value for key, value in query.items() if key not in own},
    )
    assert dict(parse_qsl(urlsplit(made).query))["auth_signature"] == query["auth_signature"]


SOCKET, CHANNEL = "12.34", "private-live-refresh.7"
OTHER = App(app_id="9", key="other-key", secret="other-secret")
MISSIGNED = App(app_id=APP_ID, key=KEY, secret="another-secret")


@pytest.mark.parametrize(
    ("auth", "fault"),
    [
        (channel_auth(OURS, SOCKET, CHANNEL),                              None),
        (channel_auth(OURS, SOCKET, CHANNEL).replace(KEY, "any"),          None),
        (channel_auth(OURS, SOCKET, CHANNEL).partition(":")[2],            None),
        (channel_auth(MISSIGNED, SOCKET, CHANNEL),                         Fault.SECRET),
        (channel_auth(OTHER, SOCKET, CHANNEL),                             Fault.KEY),
        (channel_auth(OURS, "1.1", CHANNEL),                               Fault.SOCKET),
        (channel_auth(OURS, "9.9", CHANNEL),                               Fault.SECRET),
        (channel_auth(OURS, SOCKET, "live-refresh.7"),                     Fault.CHANNEL),
        (channel_auth(OURS, SOCKET, f"private-{CHANNEL}"),                 Fault.CHANNEL),
        (channel_auth(OURS, SOCKET, CHANNEL).upper(),                      Fault.SHAPE),
        (f"{KEY}:",                                                        Fault.SHAPE),
        ("",                                                               Fault.SHAPE),
        (f"{KEY}:\ud800",                                                  Fault.SHAPE),
    ],
)  # fmt: skip
def test_the_part_of_a_signature_that_is_wrong_is_named(auth: str, fault: Fault | None) -> None:
    """Reverb answers "Connection is unauthorized" to all of them, although the causes differ."""
    assert fault_of(OURS, auth, SOCKET, CHANNEL, earlier_sockets=("1.1",)) is fault


def test_the_secret_is_not_shown() -> None:
    """It is neither in a traceback nor on a console."""
    assert SECRET not in repr(OURS)
    assert SECRET not in str(OURS.__rich_repr__())


def test_every_recorded_subscription_has_its_fault() -> None:
    """An accepted subscription has no fault; a refused one has the fault in the recording's name."""
    said = {}
    for name, exchange in recorded("ws").items():
        for frame in exchange.get("frames", []):
            if frame["dir"] == "out" and "pusher:subscribe" in frame["payload"]:
                data = msgspec.json.decode(frame["payload"])["data"]
                if "auth" in data:
                    said[name] = fault_of(
                        OURS,
                        data["auth"],
                        exchange["sid"],
                        data["channel"],
                        data.get("channel_data", ""),
                        earlier_sockets=("1.1",),
                    )
    assert said == {
        "subscribe-auth-wrong-key-prefix-good-signature": None,
        "subscribe-bad-signature": Fault.SECRET,
        "subscribe-ok": None,
        "subscribe-presence": None,
        "subscribe-signature-of-other-socket": Fault.SOCKET,
        "subscribe-signed-with-wrong-secret": Fault.SECRET,
        "subscribe-twice": None,
    }
