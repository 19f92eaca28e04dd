"""Who may speak, and who is spoken of: bearer tokens compared in constant time, and user ids as keyed hashes."""

import hmac
from collections.abc import Mapping

from sidecar.ports import ErrorCode, SidecarError

_SCHEME = "bearer "


def user_ref(identity_key: str, user_id: str) -> str:
    """Return the opaque reference of a user: 32 hex digits of HMAC-SHA256. Raw ids are never kept."""
    return hmac.digest(identity_key.encode(), user_id.encode(errors="surrogatepass"), "sha256").hex()[:32]


def bearer_token(headers: Mapping[str, str]) -> str:
    """Return the token of the `Authorization` header. Raises `SidecarError` with `token_invalid` if there is none."""
    value = headers.get("Authorization", "")
    if not value.lower().startswith(_SCHEME):
        raise SidecarError(ErrorCode.TOKEN_INVALID, "send the header `Authorization: Bearer <token>`")
    return value[len(_SCHEME) :].strip()


def is_same(token: str, expected: str) -> bool:
    """Compare two secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(token.encode(errors="surrogatepass"), expected.encode())
