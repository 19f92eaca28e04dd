"""Who may speak, and who is spoken of: bearer tokens, the tokens of payers' browsers, and user ids as keyed hashes."""

import enum
import hashlib
import hmac
import math
import re
from collections.abc import Mapping, Sequence

import jwt
import msgspec
from jwt.types import Options

from sidecar import clock
from sidecar.ports import ErrorCode, SidecarError

AUDIENCE = "reverb-sidecar"
BROWSER_TOKEN_LASTS_MAX_S = 3600
_LEEWAY_S = 10
"""So far the app's clock may be from ours."""
_CHECKS: Options = {
    "require": ["exp", "sub", "aud"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}
"""Times are checked here: PyJWT would ask the operating system for the time; `clock` is the only one that does."""
_SCHEME = "bearer "
_USER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BROWSER_TOKEN_MAX = 1024
_NO_JWT = (jwt.InvalidTokenError, msgspec.ValidationError, ValueError, OverflowError, RecursionError)
"""What reading a token raises for what is none; PyJWT lets some of it through."""


def user_ref(identity_key: str, user_id: str) -> str:
    """Return the opaque reference of a user: 32 hex digits of HMAC-SHA256. Raw ids are never kept."""
    return hmac.digest(identity_key.encode(), user_id.encode(errors="surrogatepass"), "sha256").hex()[:32]


def payment_ref(key: str, payment_intent: str) -> str:
    """Return the opaque reference of a payment: 16 hex digits of HMAC-SHA256. It stands in logs and in exemplars."""
    return hmac.digest(key.encode(), f"payment:{payment_intent}".encode(errors="surrogatepass"), "sha256").hex()[:16]


def bearer_token(headers: Mapping[str, str]) -> str:
    """Return the token of the `Authorization` header. Raises `SidecarError` with `token_invalid` if there is none."""
    value = headers.get("Authorization", "")
    if not value.lower().startswith(_SCHEME):
        raise SidecarError(ErrorCode.TOKEN_INVALID, "send the header `Authorization: Bearer <token>`")
    return value[len(_SCHEME) :].strip()


def is_same(token: str, expected: str) -> bool:
    """Compare two secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(token.encode(errors="surrogatepass"), expected.encode())


class TokenFault(enum.StrEnum):
    """What is wrong with a browser's token; a closed set."""

    MALFORMED = "malformed"
    """No JWT, or not all claims are there, or `sub` is no user id."""
    KEY_UNKNOWN = "key_unknown"
    """Its `kid` names none of our secrets."""
    SIGNATURE = "signature"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    EARLY = "early"
    """It says that it is good, or was made, only later than now."""
    TOO_LONG = "too_long"
    """It is good for more than an hour."""


class TokenRefused(SidecarError):  # noqa: N818 - what is refused is the token
    """A browser's token is no good; `fault` says why, for counting."""

    def __init__(self, fault: TokenFault, message: str) -> None:
        super().__init__(ErrorCode.TOKEN_INVALID, message)
        self.fault = fault


class Bearer(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the app says that a browser belongs to."""

    user_id: str
    """Raw: for naming the user's channel, and never kept."""
    lasts_s: float
    """From now."""


class _Claims(msgspec.Struct, frozen=True):
    sub: str
    exp: int | float
    nbf: int | float = 0
    iat: int | float = 0


class BrowserTokens:
    """Checks the tokens by which the app says whose browser it is: JWT (RFC 7519), HS256, of at most an hour.

    `kid` is the first eight hex digits of the secret's SHA-256; a token without one is tried with every secret.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = {key_id(secret): secret for secret in secrets}

    def check(self, token: str) -> Bearer:
        """Return whose token it is. Raises `TokenRefused`."""
        if len(token) > _BROWSER_TOKEN_MAX:
            raise _refused(TokenFault.MALFORMED)
        claims = self._claims(token)
        user_id, now_s = claims.sub, clock.wall_ms() / 1000
        if any(isinstance(at_s, float) and not math.isfinite(at_s) for at_s in (claims.exp, claims.nbf, claims.iat)):
            raise _refused(TokenFault.MALFORMED)
        if max(claims.nbf, claims.iat) > now_s + _LEEWAY_S:
            raise _refused(TokenFault.EARLY)
        if claims.exp <= now_s - _LEEWAY_S:
            raise _refused(TokenFault.EXPIRED)
        if not _USER_ID.fullmatch(user_id):
            raise TokenRefused(
                TokenFault.MALFORMED, "the token's `sub` is no user id: a string of 1 to 64 of A-Z a-z 0-9 _ -"
            )
        if claims.exp > now_s + BROWSER_TOKEN_LASTS_MAX_S + _LEEWAY_S:  # also an integer beyond all floats
            raise _refused(TokenFault.TOO_LONG)
        return Bearer(user_id=user_id, lasts_s=claims.exp - now_s)

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
            except jwt.InvalidSignatureError:  # perhaps it was signed with another
                refusal = _refused(TokenFault.SIGNATURE)
            except jwt.InvalidAudienceError as error:
                raise _refused(TokenFault.AUDIENCE) from error
            except _NO_JWT as error:
                raise _refused(TokenFault.MALFORMED) from error
        raise refusal

    def _candidates(self, token: str) -> list[str]:
        try:
            named = jwt.get_unverified_header(token).get("kid")
        except _NO_JWT as error:
            raise _refused(TokenFault.MALFORMED) from error
        if named is None:
            return list(self._secrets.values())
        return [self._secrets[named]] if named in self._secrets else []


def key_id(secret: str) -> str:
    """Return the name by which a token says which secret signed it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


_SAID = {
    TokenFault.MALFORMED: f"the token is no JWT (HS256) with `aud` {AUDIENCE}, `sub` and `exp`",
    TokenFault.KEY_UNKNOWN: "the token's `kid` names no secret of SIDECAR_BROWSER_SECRET: it is the first 8 hex digits "
    "of the secret's SHA-256",
    TokenFault.SIGNATURE: "the token was not signed with SIDECAR_BROWSER_SECRET",
    TokenFault.AUDIENCE: f"the token is not for us: its `aud` is not {AUDIENCE}",
    TokenFault.EXPIRED: "the token has expired: the page must get a new one from the app",
    TokenFault.EARLY: "the token is not good yet by its `nbf` or `iat`: the app's clock is ahead of ours",
    TokenFault.TOO_LONG: f"the token is good for more than {BROWSER_TOKEN_LASTS_MAX_S // 60} minutes",
}


def _refused(fault: TokenFault) -> TokenRefused:
    return TokenRefused(fault, _SAID[fault])
