"""Network addresses: listeners, hosts, networks and URLs. An address that cannot work is refused when it is read."""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from sidecar.config.scalars import Guess, Kind, Scalar

PORT_MAX = 65_535
HOST_MAX = 253
"""Characters of a host name (RFC 1035, section 2.3.4, without the root's dot)."""

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound
_COUNTERPARTS = {"https": "wss", "wss": "https", "http": "ws", "ws": "http"}


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """The address of a listener."""

    host: str
    """A name, an IPv4 address, or an IPv6 address without brackets."""
    port: int
    """0: any free port."""

    def __str__(self) -> str:
        """Return `host:port`, with brackets round an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def collides_with(self, other: "Address") -> bool:
        """Return whether both addresses cannot be bound at once. Names are compared, not resolved."""
        same_host = self.host == other.host or self.host in _WILDCARDS or other.host in _WILDCARDS
        return same_host and self.port == other.port and self.port != 0


class AddressText(Kind, frozen=True, kw_only=True):
    """`host:port`. An IPv6 address needs brackets, which need quotes in YAML."""

    allowed: str = 'host:port such as 127.0.0.1:8700 or "[::1]:8700", with a port from 0 (any that is free) to 65535'

    def parse(self, scalar: Scalar) -> Address:
        """Return the address."""
        match = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^:\[\]]+)):([0-9]{1,5})", scalar.text)
        if match is None or int(match[3]) > PORT_MAX:
            raise ValueError(scalar.text)
        host = match[1] or match[2]
        if not (_is_ip(host, 6) if match[1] else _is_ip(host, 4) or _is_name(host)):
            raise ValueError(scalar.text)
        return Address(host=host, port=int(match[3]))

    def candidates(self, scalar: Scalar) -> Iterable[str]:
        """Return the address with a host or brackets added, or without a scheme."""
        text = re.sub(r"^[a-z]+://|/$|\s", "", scalar.text)
        host, _, port = text.rpartition(":")
        if scalar.guess is Guess.NUMBER and text.isdecimal():
            return [f"127.0.0.1:{text}"]
        return [f"0.0.0.0:{port}"] if text == f":{port}" else [text, f"[{host}]:{port}"]

    def write(self, value: Address) -> str:
        """Return `host:port`."""
        return str(value)


class NetworkText(Kind, frozen=True, kw_only=True):
    """An IP address or a network."""

    allowed: str = "an IP address such as 127.0.0.1, or a network such as 10.0.0.0/8"

    def parse(self, scalar: Scalar) -> str:
        """Return the network in its canonical form."""
        return str(ipaddress.ip_network(scalar.text))

    def candidates(self, scalar: Scalar) -> Iterable[str]:
        """Return the network of an address with host bits."""
        try:
            return [str(ipaddress.ip_network(scalar.text.strip(), strict=False))]
        except ValueError:
            return []


class UrlText(Kind, frozen=True, kw_only=True):
    """A URL without user, password, query and fragment: a part that a client would reject later is refused here."""

    schemes: tuple[str, ...]
    usual: str
    """An example."""
    path: str = r".*"
    """The regular expression of the path without its last slash; empty: an origin, which has none."""
    form: str = "a URL"

    @property
    def allowed(self) -> str:
        """The form, with an example."""
        return f"{self.form} such as {self.usual}, beginning with {' or '.join(f'{each}://' for each in self.schemes)}"

    def parse(self, scalar: Scalar) -> str:
        """Return the URL without a slash at its end."""
        text = scalar.text
        if not text.isascii() or not text.isprintable() or re.search(r"[\s@?#\\]", text):
            raise ValueError(text)
        parts = urlsplit(text)
        is_right = parts.scheme in self.schemes and is_host(parts.hostname or "") and parts.port != 0
        if not is_right or not re.fullmatch(self.path, parts.path.rstrip("/")):
            raise ValueError(text)
        return text.rstrip("/")

    def note(self, scalar: Scalar) -> str:
        """Explain why a wildcard is no origin."""
        return (
            "browsers accept no wildcard from an app that gets credentials; name each origin"
            if "*" in scalar.text
            else ""
        )

    def candidates(self, scalar: Scalar) -> Iterable[str]:
        """Return the URL with a scheme that is allowed, and without the parts that are refused."""
        scheme, slashes, rest = scalar.text.strip().rpartition("://")
        rest = re.sub(r"[?#].*$", "", rest.rpartition("@")[2])
        schemes = (scheme, _COUNTERPARTS.get(scheme, "")) if slashes else self.schemes[:1]
        return [f"{each}://{rest if self.path else rest.partition('/')[0]}" for each in schemes]


HTTP = ("https", "http")
ORIGIN = UrlText(
    schemes=HTTP, path="", form="an origin: scheme, host and port, without a path", usual="https://app.example.test"
)


def is_host(host: str) -> bool:
    """Return whether this is a host: a name, an IPv4 address, or an IPv6 address without brackets."""
    return _is_ip(host, 4) or _is_ip(host, 6) or _is_name(host)


def _is_ip(host: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(host).version == version
    except ValueError:
        return False


def _is_name(host: str) -> bool:
    looks_like_an_address = re.fullmatch(r"[0-9.]+", host) is not None
    if looks_like_an_address or len(host) > HOST_MAX:
        return False
    return re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*", host) is not None
