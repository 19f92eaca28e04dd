"""The targets of the probes: every address is from the configuration, and none from a response."""

from urllib.parse import urljoin, urlsplit

import msgspec

from sidecar.config import Authorizer, Credentials, ProbeSecrets, Reverb
from sidecar.pusher.signing import App

USER_AGENT = "Mozilla/5.0 (compatible; reverb-sidecar)"
"""Firewalls refuse requests without a browser's prefix; the product's name is for the target's log."""
_PORTS = {"https": 443, "http": 80}
_QUERY = "protocol=7&client=js&version=8.6.0&flash=false"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The Reverb and the app to probe, and the user to probe them as. `repr` shows no secret."""

    app: App
    """Without its secret, signatures are not compared."""
    socket_url: str
    api_url: str
    """Scheme and host of Reverb's HTTP API, with the server's path prefix."""
    origin: str
    auth_endpoint: str
    csrf_url: str
    login_url: str
    channel: str
    """The probe user's own channel, in full."""
    isolation_channel: str | None
    """The channel of the isolation probe; None: it is not probed."""
    observer_channel: str
    reference: str | None
    authorizer: Authorizer
    login: Credentials
    secrets: ProbeSecrets

    @property
    def is_cross_origin(self) -> bool:
        """Whether the auth endpoint has another origin than the page: then CORS applies, and cookies are not sent."""
        return origin_of(self.origin) != origin_of(self.auth_endpoint)

    @property
    def sends_cookies(self) -> bool:
        """Whether a browser sends cookies to the auth endpoint: pusher-js only to its own origin, axios to its site."""
        if self.login is not Credentials.COOKIE:
            return False
        if not self.is_cross_origin:
            return True
        return self.authorizer is Authorizer.AXIOS and _site(self.origin) == _site(self.auth_endpoint)


def target_of(reverb: Reverb, secrets: ProbeSecrets) -> Target:
    """Return the targets of this configuration."""
    scheme, _, rest = reverb.url.partition("://")
    return Target(
        app=App(app_id=reverb.app_id, key=reverb.app_key, secret=secrets.app_secret or ""),
        socket_url=f"{reverb.url}/app/{reverb.app_key}?{_QUERY}",
        api_url=reverb.api_url or f"{'https' if scheme == 'wss' else 'http'}://{rest}",
        origin=reverb.origin,
        auth_endpoint=reverb.auth_endpoint,
        csrf_url=reverb.probe.csrf_url or urljoin(reverb.auth_endpoint, "/sanctum/csrf-cookie"),
        login_url=reverb.probe.login_url or urljoin(reverb.auth_endpoint, "/login"),
        channel=channel_of(reverb, reverb.probe.user_id),
        isolation_channel=channel_of(reverb, reverb.isolation.channel_user_id) if reverb.isolation else None,
        observer_channel=reverb.observer_channel,
        reference=reverb.reference,
        authorizer=reverb.echo.authorizer,
        login=reverb.probe.login,
        secrets=secrets,
    )


def channel_of(reverb: Reverb, user_id: str) -> str:
    """Return the full name of a user's own channel."""
    return reverb.channel.replace("{user_id}", user_id)


def origin_of(url: str | None) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a web server's URL; None if it has none of them."""
    try:
        parts = urlsplit(url or "")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


def _site(url: str) -> str:
    """Return the site of a URL, as for cookies: the last two labels, which is right for most domains."""
    host = urlsplit(url).hostname or ""
    return host if host.replace(".", "").isdecimal() or ":" in host else ".".join(host.split(".")[-2:])
