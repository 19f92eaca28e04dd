"""Authenticate requests to the operator listener: who may read, who may act, and the name in the record.

`SIDECAR_OPERATOR_TOKENS` gives each token a name and a role. A trusted proxy may name its user in a header; the name is
added to the record and grants no permission: permissions come from the token alone.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Sequence

from aiohttp import web

from sidecar.config import Console, OperatorToken, Reading, Role
from sidecar.ports import ErrorCode, SidecarError
from sidecar.tokens import bearer_token, is_same

_USER = re.compile(r"[A-Za-z0-9._@+\-]{1,128}", re.ASCII)
_SAFE = frozenset({"GET", "HEAD"})
_BASIC = "basic "
_TOKEN_MAX = 1024
_IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class Access:
    """Access control of the operator listener."""

    def __init__(self, tokens: Sequence[OperatorToken], console: Console | None = None) -> None:
        console = console or Console()
        self._tokens = tokens
        self._is_reading_open = console.reading is Reading.OPEN
        self._user_header = console.user_header
        self._proxies: list[_IpNetwork] = [ipaddress.ip_network(each) for each in console.trusted_proxies]

    def admit(self, request: web.Request) -> None:
        """Check that a request may read. Raises `SidecarError` with `token_needed` or `token_invalid`.

        An invalid token is refused even if reading needs none: its sender expects to be authenticated. Requests that
        act are checked by `actor`.
        """
        if request.method not in _SAFE:
            return
        if "Authorization" in request.headers:
            if self._matching(_sent(request)).role is Role.SCRAPE:
                raise SidecarError(ErrorCode.ROLE_INSUFFICIENT, "this token may only read /metrics")
        elif not self._is_reading_open:
            raise SidecarError(
                ErrorCode.TOKEN_NEEDED, "reading needs a token (`console.reading: token`) of the role read or operate"
            )

    def admit_scrape(self, request: web.Request) -> None:
        """Check that a request may read the metrics, with a token of any role. Raises like `admit`."""
        if self._is_reading_open:
            return
        if "Authorization" not in request.headers:
            raise SidecarError(ErrorCode.TOKEN_NEEDED, "reading needs a token (`console.reading: token`) of any role")
        self._matching(_sent(request))

    def actor(self, request: web.Request) -> str:
        """Return the actor for the record. Raises `SidecarError`: `token_invalid` or `role_insufficient`."""
        if not self._tokens:
            raise SidecarError(
                ErrorCode.TOKEN_INVALID,
                "no operator tokens: set SIDECAR_OPERATOR_TOKENS=name:operate:token and restart",
            )
        token = self._matching(bearer_token(request.headers))  # never credentials that a browser sends by itself
        if token.role is not Role.OPERATE:
            raise SidecarError(
                ErrorCode.ROLE_INSUFFICIENT, "this token may only read; operator actions need the role `operate`"
            )
        user = self._user(request)
        return token.name if user is None else f"{user} via {token.name}"

    def _matching(self, sent: str) -> OperatorToken:
        """Return the matching token. All tokens are compared, in constant time."""
        matches = [each for each in self._tokens if is_same(sent[:_TOKEN_MAX], each.token)]
        if not matches:
            raise SidecarError(ErrorCode.TOKEN_INVALID, "the token is not in SIDECAR_OPERATOR_TOKENS")
        return matches[0]

    def _user(self, request: web.Request) -> str | None:
        """Return the user that a trusted proxy names; None: there is none. Raises `user_invalid`."""
        if self._user_header is None or not self._is_from_proxy(request):
            return None
        named = request.headers.getall(self._user_header, [])
        if not named:
            return None
        if len(named) > 1 or _USER.fullmatch(named[0]) is None:
            raise SidecarError(
                ErrorCode.USER_INVALID, "the proxy's user header must name one user, with A-Z a-z 0-9 . _ @ + -"
            )
        return named[0]

    def _is_from_proxy(self, request: web.Request) -> bool:
        try:
            address = ipaddress.ip_address(request.remote or "")
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._proxies)


def _sent(request: web.Request) -> str:
    """Return the token: a bearer token, or the password of HTTP Basic."""
    value = request.headers["Authorization"]
    if not value.lower().startswith(_BASIC):
        return bearer_token(request.headers)
    try:
        _, _, password = base64.b64decode(value[len(_BASIC) :], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise SidecarError(ErrorCode.TOKEN_INVALID, "the header `Authorization: Basic` cannot be decoded") from error
    return password
