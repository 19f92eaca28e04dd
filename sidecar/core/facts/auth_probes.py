"""The closed sets of outcomes of an auth probe and of a canary's round trip.

An outcome names what happened, and the step names where. How an auth probe works is in `probes.auth_probe`; causes and
remedies of each outcome are in `causes`.
"""

import enum


class Step(enum.StrEnum):
    """The steps of an auth probe, in the order in which they are taken."""

    RESOLVE = "resolve"
    """The name of a host becomes an address."""
    CONNECT = "connect"
    TLS = "tls"
    UPGRADE = "upgrade"
    """HTTP becomes a WebSocket."""
    ESTABLISH = "establish"
    """Reverb's first message: `pusher:connection_established`."""
    LOGIN = "login"
    """The probe user gets a session; only with `login: cookie`, and only when there is none."""
    PREFLIGHT = "preflight"
    """The CORS preflight request; only for another origin, and only with headers that need it."""
    AUTHORISE = "authorise"
    """`POST` to the auth endpoint."""
    SIGNATURE = "signature"
    """The signature of the answer, compared with one made with the configured secret."""
    SUBSCRIBE = "subscribe"
    """`pusher:subscribe`, and Reverb's answer."""
    DELIVER = "deliver"
    """A canary through Reverb's HTTP API and back: a probe of its own, which only the doctor adds to an auth probe."""


class AuthProbeOutcome(enum.StrEnum):
    """How an auth probe ended; a closed set."""

    OK = "ok"

    DNS = "dns"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    UNREACHABLE = "unreachable"
    """No route to the host or its network, or a firewall that reports so."""
    TLS_EXPIRED = "tls_expired"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_WRONG_HOST = "tls_wrong_host"
    TLS_NOT_SPOKEN = "tls_not_spoken"
    """The other side does not answer with TLS at all."""
    TLS_OTHER = "tls_other"
    NOT_HTTP = "not_http"
    """The response is not HTTP."""

    UPGRADE_STRIPPED = "upgrade_stripped"
    """500 on `/app/{key}`: a proxy dropped the Upgrade header."""
    CLOSED_WITHOUT_FRAME = "closed_without_frame"
    NOT_PUSHER = "not_pusher"
    """The first message is not one of this protocol."""
    ERROR_4001 = "error_4001"
    ERROR_4004 = "error_4004"
    ERROR_4009_ORIGIN = "error_4009_origin"
    ERROR_4009_UNAUTHORISED = "error_4009_unauthorised"
    ERROR_4200 = "error_4200"
    ERROR_4201 = "error_4201"
    ERROR_4301 = "error_4301"
    ERROR_OTHER = "error_other"
    """Another code, which Reverb does not have: another server of the protocol. The number is shown."""

    REFUSED_403 = "refused_403"
    UNAUTHENTICATED_401 = "unauthenticated_401"
    CSRF_419 = "csrf_419"
    REDIRECT_TO_LOGIN = "redirect_to_login"
    REDIRECT = "redirect"
    """To anywhere else, such as from http to https."""
    ROUTE_MISSING_404 = "route_missing_404"
    THROTTLED_429 = "throttled_429"
    MAINTENANCE_503 = "maintenance_503"
    SERVER_ERROR_5XX = "server_error_5xx"
    UNEXPECTED_STATUS = "unexpected_status"
    """Any other; the number is shown."""
    EMPTY_200 = "empty_200"
    NOT_JSON_200 = "not_json_200"
    NO_AUTH_200 = "no_auth_200"
    """JSON, but without an `auth`."""
    WAF_CHALLENGE = "waf_challenge"
    BLOCKED_BY_CORS = "blocked_by_cors"
    LOGIN_REFUSED = "login_refused"
    """The login took neither the e-mail address nor the password."""

    SIGNED_WITH_OTHER_KEY = "signed_with_other_key"
    SIGNED_WITH_OTHER_SECRET = "signed_with_other_secret"  # noqa: S105 - an outcome, not a secret
    SIGNED_FOR_OTHER_SOCKET = "signed_for_other_socket"
    SIGNED_FOR_OTHER_CHANNEL = "signed_for_other_channel"

    TIMEOUT_RESOLVE = "timeout_resolve"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_TLS = "timeout_tls"
    TIMEOUT_UPGRADE = "timeout_upgrade"
    TIMEOUT_ESTABLISH = "timeout_establish"
    TIMEOUT_LOGIN = "timeout_login"
    TIMEOUT_PREFLIGHT = "timeout_preflight"
    TIMEOUT_AUTHORISE = "timeout_authorise"
    TIMEOUT_SUBSCRIBE = "timeout_subscribe"

    @classmethod
    def timeout_at(cls, step: Step) -> "AuthProbeOutcome":
        """Return the outcome of an auth probe that was out of time at a step; comparing a signature takes none."""
        return cls(f"timeout_{step}")


class IsolationOutcome(enum.StrEnum):
    """What became of the probe user's request for a channel that is not its own."""

    REFUSED = "refused"
    """As it must be."""
    ALLOWED = "allowed"
    """Any user can subscribe to any other user's channel: a security alarm."""
    UNKNOWN = "unknown"
    """It was not answered as such a request is."""


class RoundTripOutcome(enum.StrEnum):
    """How a canary's way through Reverb's API and back over the sockets ended; a closed set."""

    OK = "ok"
    LOST = "lost"
    """Reverb's API took it, and no socket received it in time."""
    DEAF_NODE = "deaf_node"
    """Some sockets received it in time and others did not: a node that does not receive from the others."""
    SOCKETS_DOWN = "sockets_down"
    """There was no socket to receive it."""
    API_UNREACHABLE = "api_unreachable"
    API_TIMEOUT = "api_timeout"
    API_SIGNATURE_401 = "api_signature_401"
    API_APP_UNKNOWN_404 = "api_app_unknown_404"
    API_STATUS = "api_status"
    """Reverb's API answered with any other status; the number is shown."""


class UserAuth(enum.StrEnum):
    """The backend's answer to a payer's channel authorisation; `binding` and the rest are reasons for a 403."""

    OK = "ok"
    GUEST = "guest"
    """No user was logged in."""
    NO_PATTERN = "no_pattern"
    """No registered channel has such a name."""
    REFUSED = "refused"
    """The channel's callback returned false."""
    BINDING = "binding"
    """A model that the channel's name stands for was not found."""
    ABORT = "abort"
    """The callback itself answered 403."""
