"""The keys under `reverb`: the Reverb to probe, the probe user, and the settings of Echo in the browser."""

import enum
from typing import Annotated

from sidecar.config.places import HTTP, ORIGIN, UrlText
from sidecar.config.quantities import Duration, Rate
from sidecar.config.scalars import Text, Whole
from sidecar.config.section import Section
from sidecar.core.facts.policy import AUTH_PROBES_PPM, ROUND_TRIPS_PPM

_USER_ID = Text(pattern=r"[A-Za-z0-9_-]{1,64}", allowed='a user id in quotes such as "0": 1 to 64 of A-Z a-z 0-9 _ -')


class Authorizer(enum.StrEnum):
    """The browser code that authorises a channel."""

    DEFAULT = "default"
    """pusher-js itself: a form, `Accept: */*`, and no cookies to another origin whatever Echo's options say."""
    AXIOS = "axios"
    """A custom `authorizer` with axios and `withCredentials`: JSON, cookies, and the CSRF token from its cookie."""


class Credentials(enum.StrEnum):
    """How the app identifies a user."""

    BEARER = "bearer"
    """`Authorization: Bearer`, as Echo sends it with `bearerToken`."""
    COOKIE = "cookie"
    """The session cookie, where a browser would send it."""


class Echo(Section, frozen=True, kw_only=True):
    """The settings of Laravel Echo in the browser: the auth probe sends only what such a browser sends."""

    authorizer: Authorizer = Authorizer.DEFAULT
    """The code that sends the request to the auth endpoint."""
    credentials: Credentials = Credentials.BEARER
    """The credentials that it sends."""


class Probe(Section, frozen=True, kw_only=True):
    """The probe user, and the intervals of its probes."""

    user_id: Annotated[str, _USER_ID]
    """A user of the app for this purpose: it needs no rights but its own channel."""
    login: Credentials = Credentials.BEARER
    """Its credentials: SIDECAR_PROBE_TOKEN, or a session from SIDECAR_PROBE_EMAIL and SIDECAR_PROBE_PASSWORD."""
    csrf_url: Annotated[str, UrlText(schemes=HTTP, usual="https://app.example.test/sanctum/csrf-cookie")] | None = None
    """The URL that starts a session; None: `/sanctum/csrf-cookie` beside the auth endpoint."""
    login_url: Annotated[str, UrlText(schemes=HTTP, usual="https://app.example.test/login")] | None = None
    """The URL of the login; None: `/login` beside the auth endpoint."""
    round_trip_every_ms: Annotated[int, Duration(at_least="1s", at_most="1m", usual="5s")] = 5_000
    """The interval between canaries through Reverb, in milliseconds."""
    auth_every_ms: Annotated[int, Duration(at_least="10s", at_most="10m", usual="1m")] = 60_000
    """The interval between auth probes, which repeat a browser's steps to its channel, in milliseconds."""
    isolation_every_ms: Annotated[int, Duration(at_least="1m", at_most="24h", usual="10m")] = 600_000
    """The interval between isolation probes, which request another user's channel, in milliseconds."""
    round_trip_reliability_ppm: Annotated[int, Rate(at_least="50%", at_most="99.9999%")] = ROUND_TRIPS_PPM
    """p0: the share of canaries that must come back in time, in parts per million."""
    auth_reliability_ppm: Annotated[int, Rate(at_least="50%", at_most="99.9999%")] = AUTH_PROBES_PPM
    """p0: the share of auth probes that must complete, in parts per million."""


class Isolation(Section, frozen=True, kw_only=True):
    """The isolation probe: the probe user must be refused the channel of another user."""

    channel_user_id: Annotated[str, _USER_ID]
    """Any other user."""


DEFAULT_CHANNEL = "private-live-refresh.{user_id}"
OBSERVERS_MAX = 20

_CHANNEL = r"[A-Za-z0-9_=@,.;-]"


class Reverb(Section, frozen=True, kw_only=True):
    """The Reverb that browsers connect to, and how it is probed."""

    url: Annotated[str, UrlText(schemes=("wss", "ws"), usual="wss://ws.example.test")]
    """The URL that browsers use, through the public load balancer, with the server's path prefix if it has one."""
    app_id: Annotated[str, Text(pattern=r"[A-Za-z0-9_-]{1,64}", allowed='REVERB_APP_ID in quotes, such as "501"')]
    """The id of the application in `config/reverb.php`."""
    app_key: Annotated[str, Text(pattern=r"[\x21-\x7e]{1,128}", allowed="REVERB_APP_KEY: printable, without spaces")]
    """The key that browsers use; the secret is REVERB_APP_SECRET."""
    origin: Annotated[str, ORIGIN]
    """The origin of the page that connects: Reverb and CORS check it."""
    auth_endpoint: Annotated[str, UrlText(schemes=HTTP, usual="https://app.example.test/broadcasting/auth")]
    """Echo's `authEndpoint`, as a full URL."""
    api_url: Annotated[str, UrlText(schemes=HTTP, usual="http://reverb:8080")] | None = None
    """The URL of Reverb's HTTP API for Laravel (REVERB_HOST, REVERB_PORT); None: the host of `url`."""
    channel: Annotated[
        str,
        Text(
            pattern=rf"private-{_CHANNEL}{{0,100}}\{{user_id\}}{_CHANNEL}{{0,40}}",
            allowed="a private channel with {user_id} in its name, such as private-live-refresh.{user_id}",
        ),
    ] = DEFAULT_CHANNEL
    """The channel of one user."""
    observer_channel: Annotated[
        str,
        Text(pattern=rf"private-{_CHANNEL}{{1,140}}", allowed="the full name of a private channel"),
    ] = "private-reverb-sidecar"
    """The channel to which the backend broadcasts the same event for the sidecar, in the same call."""
    observers: Annotated[int, Whole(at_least=0, at_most=OBSERVERS_MAX)] = 3
    """The number of sockets that receive broadcasts; 0: none, and delivery is not observed."""
    echo: Echo = Echo()
    """The settings of Echo in the browser."""
    probe: Probe
    """The probe user, and the intervals of its probes."""
    isolation: Isolation | None = None
    """The isolation probe; None: it is off."""
    reference: Annotated[str, UrlText(schemes=HTTP, usual="https://www.example.test")] | None = None
    """A URL outside that is reachable unless this host is cut off; None: being cut off counts against push."""
