"""Redaction of requests and responses for display: no secret, no control character, bounded length.

Credentials are replaced by `***`. Every header that is not listed as harmless counts as a secret.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

_HARMLESS = frozenset({
    "accept", "access-control-request-headers", "access-control-request-method", "content-type", "host", "origin",
    "referer", "x-requested-with",
})  # fmt: skip
_SCHEMES = frozenset({"basic", "bearer"})
_TEXT_MAX = 300


def shown_headers(headers: Mapping[str, str]) -> list[str]:
    """Return headers, each as one line."""
    return [f"{name}: {_value(name.lower(), value)}" for name, value in headers.items()]


def shown_url(url: str) -> str:
    """Return a URL or a part of it, without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid URL"
    return tidy(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl())


def tidy(text: str) -> str:
    """Return a text from outside that is safe to print: a control character could rewrite a terminal."""
    plain = "".join(each if each.isprintable() else "\ufffd" for each in text[: _TEXT_MAX + 1])
    return plain if len(plain) <= _TEXT_MAX else f"{plain[:_TEXT_MAX]}…"


def _value(name: str, value: str) -> str:
    if name in _HARMLESS:
        return shown_url(value) if name == "referer" else tidy(value)
    if name == "authorization":
        scheme = value.partition(" ")[0]
        return f"{scheme} ***" if scheme.lower() in _SCHEMES else "***"
    if name == "cookie":
        names = [each.partition("=")[0].strip() for each in value.split(";") if "=" in each]
        return tidy(", ".join(f"{each}=***" for each in names)) or "***"
    return "***"
