"""Bearer tokens, the tokens of payers' browsers, and keyed hashes of user and payment ids."""

import enum
import hashlib
import hmac
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import jwt
import msgspec
from jwt.types import Options

from sidecar import clock
from sidecar.ports import ErrorCode, SidecarError

AUDIENCE = "reverb-sidecar"
BROWSER_TOKEN_LASTS_MAX_S = 3600
USED_MAX = 50_000
"""Reports that are remembered by their token: 14 per second for as long as a token may last."""
_LEEWAY_S = 10
"""The largest accepted difference between the app's clock and this one."""
_CHECKS: Options = {
    "require": ["exp", "sub", "aud"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}
"""`BrowserTokens` checks the times with `clock`: PyJWT would read them from the operating system."""
_SCHEME = "bearer "
_USER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BROWSER_TOKEN_MAX = 1024
_NOT_A_JWT = (jwt.InvalidTokenError, msgspec.ValidationError, ValueError, OverflowError, RecursionError)
"""The exceptions for a text that is not a token; PyJWT does not wrap all of them."""


def user_ref(identity_key: str, user_id: str) -> str:
    """Return the opaque reference of a user: 32 hex digits of HMAC-SHA256. Raw ids are never stored."""
    return hmac.digest(identity_key.encode(), user_id.encode(errors="surrogatepass"), "sha256").hex()[:32]


def payment_ref(key: str, payment_intent: str) -> str:
    """Return the opaque reference of a payment for logs and exemplars: 16 hex digits of HMAC-SHA256."""
    return hmac.digest(key.encode(), f"payment:{payment_intent}".encode(errors="surrogatepass"), "sha256").hex()[:16]


def bearer_token(headers: Mapping[str, str]) -> str:
    """Return the token of the `Authorization` header. Raises `SidecarError` with `token_invalid` if there is none."""
    value = headers.get("Authorization", "")
    if not value.lower().startswith(_SCHEME):
        raise SidecarError(ErrorCode.TOKEN_INVALID, "send the header `Authorization: Bearer <token>`")
    return value[len(_SCHEME) :].strip()


def is_same(token: str, expected: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(token.encode(errors="surrogatepass"), expected.encode())


class TokenFault(enum.StrEnum):
    """The fault of a browser's token."""

    MALFORMED = "malformed"
    """Not a JWT, or a claim is missing, or `sub` is not a user id."""
    KEY_UNKNOWN = "key_unknown"
    """Its `kid` is not the id of a configured secret."""
    SIGNATURE = "signature"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    EARLY = "early"
    """Its `nbf` or `iat` is in the future."""
    TOO_LONG = "too_long"
    """It is valid for more than an hour."""
    ENVIRONMENT = "environment"
    """Its `env` is another environment."""
    USED = "used"
    """Its `jti` has reported this payment otherwise."""


class TokenRefused(SidecarError):  # noqa: N818 - names the refused token
    """The token of a browser is invalid; `fault` is the reason, for a metric."""

    def __init__(self, fault: TokenFault, message: str) -> None:
        super().__init__(ErrorCode.TOKEN_INVALID, message)
        self.fault = fault


class Bearer(msgspec.Struct, frozen=True, kw_only=True):
    """The user of a browser, from the app's token."""

    user_id: str
    """The raw id, for the name of the user's channel; never stored."""
    lasts_s: float
    """The remaining lifetime of the token."""
    token_id: str | None = None
    """Its `jti`; None: it has none."""


class _Claims(msgspec.Struct, frozen=True):
    sub: str
    exp: int | float
    nbf: int | float = 0
    iat: int | float = 0
    env: str | None = None
    jti: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None


class BrowserTokens:
    """Verifies the app's tokens for its users' browsers: JWT (RFC 7519), HS256, valid for at most an hour.

    `kid` is the first eight hex digits of the secret's SHA-256; a token without `kid` is verified with every secret.
    `env` may be left out; a token that names another environment is refused, also where both share their secret.
    """

    def __init__(self, secrets: Sequence[str], environment: str) -> None:
        self._secrets = {key_id(secret): secret for secret in secrets}
        self._environment = environment

    def check(self, token: str) -> Bearer:
        """Return the user of a valid token. Raises `TokenRefused`."""
        if len(token) > _BROWSER_TOKEN_MAX:
            raise _refused(TokenFault.MALFORMED)
        claims = self._claims(token)
        user_id, now_s = claims.sub, clock.wall_ms() / 1000
        if any(isinstance(at_s, float) and not math.isfinite(at_s) for at_s in (claims.exp, claims.nbf, claims.iat)):
            raise _refused(TokenFault.MALFORMED)
        if claims.env is not None and claims.env != self._environment:
            raise TokenRefused(
                TokenFault.ENVIRONMENT,
                f"the token is for another environment: its `env` is not {self._environment}; the app signs its own "
                "SIDECAR_ENVIRONMENT",
            )
        if max(claims.nbf, claims.iat) > now_s + _LEEWAY_S:
            raise _refused(TokenFault.EARLY)
        if claims.exp <= now_s - _LEEWAY_S:
            raise _refused(TokenFault.EXPIRED)
        if not _USER_ID.fullmatch(user_id):
            raise TokenRefused(
                TokenFault.MALFORMED, "the token's `sub` is not a user id: a string of 1 to 64 of A-Z a-z 0-9 _ -"
            )
        if claims.exp > now_s + BROWSER_TOKEN_LASTS_MAX_S + _LEEWAY_S:  # also compares an integer beyond all floats
            raise _refused(TokenFault.TOO_LONG)
        return Bearer(user_id=user_id, lasts_s=claims.exp - now_s, token_id=claims.jti)

    def _claims(self, token: str) -> _Claims:
        refusal = _refused(TokenFault.KEY_UNKNOWN)
        for secret in self._candidates(token):
            try:
                claims = jwt.decode(
                    token,
                    secret,
                    algorithms=["HS256"],
                    audience=AUDIENCE,
                    options=_CHECKS,
                )
                return msgspec.convert(claims, _Claims)
            except jwt.InvalidSignatureError:  # the next secret may match
                refusal = _refused(TokenFault.SIGNATURE)
            except jwt.InvalidAudienceError as error:
                raise _refused(TokenFault.AUDIENCE) from error
            except _NOT_A_JWT as error:
                raise _refused(TokenFault.MALFORMED) from error
        raise refusal

    def _candidates(self, token: str) -> list[str]:
        try:
            named = jwt.get_unverified_header(token).get("kid")
        except _NOT_A_JWT as error:
            raise _refused(TokenFault.MALFORMED) from error
        if named is None:
            return list(self._secrets.values())
        return [self._secrets[named]] if named in self._secrets else []


def key_id(secret: str) -> str:
    """Return the `kid` of tokens that are signed with this secret."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


_MESSAGES = {
    TokenFault.MALFORMED: f"the token is not a JWT (HS256) with `aud` {AUDIENCE}, `sub` and `exp`",
    TokenFault.KEY_UNKNOWN: "the token's `kid` matches no secret of SIDECAR_BROWSER_SECRET: it is the first 8 hex "
    "digits of the secret's SHA-256",
    TokenFault.SIGNATURE: "the token was not signed with SIDECAR_BROWSER_SECRET",
    TokenFault.AUDIENCE: f"the token is for another service: its `aud` is not {AUDIENCE}",
    TokenFault.EXPIRED: "the token has expired: the page must get a new one from the app",
    TokenFault.EARLY: "the token's `nbf` or `iat` is in the future: the clock of the app is ahead",
    TokenFault.USED: "this token has reported this payment already, otherwise: a page reports a payment once",
    TokenFault.TOO_LONG: f"the token is valid for more than {BROWSER_TOKEN_LASTS_MAX_S // 60} minutes",
}


class UsedTokens:
    """What each token has reported of which payment.

    In memory: after a restart the journal still takes one report of a user and payment. Bounded: the last `USED_MAX`.
    """

    def __init__(self) -> None:
        self._reported: dict[tuple[str, str], bytes] = {}

    def has_reported(self, token_id: str, payment_intent: str, report: bytes) -> bool:
        """Return whether it has reported the same of this payment. Raises `TokenRefused` if it reported otherwise."""
        before = self._reported.get((token_id, payment_intent))
        if before is not None and before != report:
            raise _refused(TokenFault.USED)
        return before is not None

    def use(self, token_id: str, payment_intent: str, report: bytes) -> None:
        """Remember a report that is durable, by its digest."""
        if len(self._reported) >= USED_MAX:
            del self._reported[next(iter(self._reported))]
        self._reported[token_id, payment_intent] = report


def _refused(fault: TokenFault) -> TokenRefused:
    return TokenRefused(fault, _MESSAGES[fault])
