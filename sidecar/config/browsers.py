"""What browsers block, as far as the configuration alone shows it. `sidecar doctor` finds the rest by trying."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from sidecar.config.reverb import Authorizer, Credentials
from sidecar.config.schema import Config

_SECURE = ("https", "wss")
_BLOCKED_PORTS = frozenset(
    (1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
     111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
     540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
     6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080)
)  # fmt: skip
"""https://fetch.spec.whatwg.org/#port-blocking"""


def blocked_by_browsers(config: Config) -> tuple[str, ...]:
    """Return a sentence for each address of the configuration that browsers block, with its key and the remedy."""
    return tuple(_found(config))


def _found(config: Config) -> Iterator[str]:
    reverb, origins = config.reverb, [("acks.browser_origins", each) for each in config.acks.browser_origins]
    if reverb is not None:
        origins = [("reverb.origin", reverb.origin), *origins]
    for key, origin in origins:
        if urlsplit(origin).scheme == "http" and not _is_on_this_machine(origin):
            yield (
                f"{key}: {origin} is a page over plain HTTP on a public host. Browsers send it no Secure cookie and "
                "mark it as not secure; payments need https. Use the https origin."
            )
    if reverb is None:
        return
    addresses = [("reverb.url", reverb.url), ("reverb.auth_endpoint", reverb.auth_endpoint)]
    for key, url in addresses:
        yield from _mixed(key, url, reverb.origin)
        if urlsplit(url).port in _BLOCKED_PORTS:
            yield f"{key}: browsers refuse to connect to port {urlsplit(url).port}. Use another port."
    is_elsewhere, echo = _origin(reverb.auth_endpoint) != _origin(reverb.origin), reverb.echo
    if is_elsewhere and echo.credentials is Credentials.COOKIE and echo.authorizer is Authorizer.DEFAULT:
        yield (
            f"reverb.auth_endpoint: {reverb.auth_endpoint} has another origin than {reverb.origin}. pusher-js sends no "
            "cookies there, whatever Echo's options say. Use one origin, a bearer token, or the authorizer axios."
        )


def _mixed(key: str, url: str, origin: str) -> Iterator[str]:
    scheme = urlsplit(url).scheme
    if urlsplit(origin).scheme == "https" and scheme not in _SECURE and not _is_on_this_machine(url):
        wanted = {"ws": "wss", "http": "https"}[scheme]
        yield (
            f"{key}: {url} is not encrypted, and browsers block it on the page {origin} as mixed content. "
            f"Use {wanted}://."
        )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _is_on_this_machine(url: str) -> bool:
    """Return whether browsers trust the host without encryption (https://www.w3.org/TR/secure-contexts/)."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
