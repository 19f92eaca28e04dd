"""How the places are written that the sidecar listens on and keeps its journal in."""

import ipaddress
import re
from typing import ClassVar, Self

import msgspec

from sidecar.config.problems import SHOWN_MAX, quoted
from sidecar.config.scalars import Guess, Refused, Scalar

PORT_MAX = 65_535
HOST_MAX = 253
"""Characters of a host name (RFC 1035, section 2.3.4, without the root's dot)."""

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a listener listens."""

    host: str
    """A name, an IPv4 address, or an IPv6 address without brackets."""
    port: int
    """0: any free port."""

    def __str__(self) -> str:
        """Return `host:port`, with brackets round an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def collides_with(self, other: "Address") -> bool:
        """Whether both cannot be listened on at once. Names are compared, not resolved."""
        same_host = self.host == other.host or self.host in _WILDCARDS or other.host in _WILDCARDS
        return same_host and self.port == other.port and self.port != 0


class AddressText(msgspec.Struct, frozen=True, kw_only=True):
    """`host:port`; an IPv6 address stands in brackets, and those need quotes in YAML."""

    allowed: str = 'host:port such as 127.0.0.1:8700 or "[::1]:8700", with a port from 0 (any that is free) to 65535'

    def read(self, scalar: Scalar) -> Address:
        """Return the address."""
        address = _address(scalar.text)
        if address is None:
            raise Refused(self._meant(scalar))
        return address

    def write(self, value: Address) -> str:
        """Return `host:port`."""
        return str(value)

    @staticmethod
    def _meant(scalar: Scalar) -> str | None:
        text = re.sub(r"^[a-z]+://|/$|\s", "", scalar.text)
        host, _, port = text.rpartition(":")
        if scalar.guess is Guess.NUMBER and text.isdecimal():
            candidates = [f"127.0.0.1:{text}"]
        elif text.startswith(":") and port == text[1:]:
            candidates = [f"0.0.0.0:{port}"]
        else:
            candidates = [text, f"[{host}]:{port}"]
        return next((quoted(candidate) for candidate in candidates if _address(candidate)), None)


class JournalPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a journal is: `SCHEME:REST`. Each backend has a subclass of its own."""

    scheme: ClassVar[str]
    allowed: ClassVar[str]
    """How it is written, for people."""

    @classmethod
    def of(cls, rest: str) -> Self | None:
        """Return the place that follows the scheme; None: it is not one."""
        raise NotImplementedError

    def write(self) -> str:
        """Return the place as YAML."""
        raise NotImplementedError


class SqlitePlace(JournalPlace, frozen=True, kw_only=True):
    """A journal in one SQLite file, which survives a restart."""

    scheme: ClassVar[str] = "sqlite"
    allowed: ClassVar[str] = "sqlite:PATH"
    path: str
    """Relative to the working directory of the process, or absolute."""

    @classmethod
    def of(cls, rest: str) -> Self | None:
        """Return the place of a plain path."""
        return cls(path=rest) if _is_plain_path(rest) else None

    def write(self) -> str:
        """Return the place as YAML."""
        return f"{self.scheme}:{self.path}"


class MemoryPlace(JournalPlace, frozen=True, kw_only=True):
    """A journal that ends with the process, for trials."""

    scheme: ClassVar[str] = "memory"
    allowed: ClassVar[str] = '"memory:" in quotes'

    @classmethod
    def of(cls, rest: str) -> Self | None:
        """Return the place; nothing may follow the scheme."""
        return None if rest else cls()

    def write(self) -> str:
        """Return the place as YAML."""
        return quoted(f"{self.scheme}:")


JOURNAL_PLACES: tuple[type[JournalPlace], ...] = (SqlitePlace, MemoryPlace)
"""The places of all backends; `sidecar.journal` opens them."""

_NO_REDIS = "this version keeps its journal in SQLite, on one machine"

_JOURNALS_MEANT = {
    "memory": '"memory:"',
    ":memory:": '"memory:"',
    "sqlite::memory:": '"memory:"',
    "sqlite": '"sqlite:reverb-sidecar.db"',
    "sqlite:": '"sqlite:reverb-sidecar.db"',
}


class JournalText(msgspec.Struct, frozen=True, kw_only=True):
    """`SCHEME:REST`, such as `sqlite:PATH` or `memory:`."""

    places: tuple[type[JournalPlace], ...] = JOURNAL_PLACES

    @property
    def allowed(self) -> str:
        """The forms of all places."""
        *others, last = (place.allowed for place in self.places)
        return f"{', '.join(others)}, or {last}"

    def read(self, scalar: Scalar) -> JournalPlace:
        """Return where the journal is."""
        scheme, colon, rest = scalar.text.partition(":")
        for kind in self.places if colon else ():
            place = kind.of(rest) if scheme == kind.scheme else None
            if place is not None:
                return place
        raise Refused(self._meant(scalar), note=_NO_REDIS if scheme in {"redis", "rediss"} and colon else None)

    def write(self, value: JournalPlace) -> str:
        """Return the place as YAML."""
        return value.write()

    @staticmethod
    def _meant(scalar: Scalar) -> str | None:
        text = scalar.text.strip()
        if text in _JOURNALS_MEANT:
            return _JOURNALS_MEANT[text]
        scheme, colon, rest = text.rpartition(":")
        path = re.sub(r"^/+", "/", rest)
        likely = scheme in ("sqlite", "sqlite3", "file") if colon else path.endswith((".db", ".sqlite", ".sqlite3"))
        return quoted(f"sqlite:{path}") if likely and _is_plain_path(path) else None


class NetworkText(msgspec.Struct, frozen=True, kw_only=True):
    """An IP address, or a network of them."""

    allowed: str = "an IP address such as 127.0.0.1, or a network such as 10.0.0.0/8"

    def read(self, scalar: Scalar) -> str:
        """Return the network as it is best written."""
        try:
            return str(ipaddress.ip_network(scalar.text))
        except ValueError as error:
            raise Refused(self._meant(scalar)) from error

    def write(self, value: str) -> str:
        """Return the network in quotes."""
        return quoted(value)

    @staticmethod
    def _meant(scalar: Scalar) -> str | None:
        try:
            return quoted(str(ipaddress.ip_network(scalar.text.strip(), strict=False)))
        except ValueError:
            return None


class RedisText(msgspec.Struct, frozen=True, kw_only=True):
    """The URL of a Redis: what a client would only refuse when it connects is refused here, with its place."""

    allowed: str = (
        "redis://HOST:PORT/DB, or rediss: for TLS, without a user or a password (that is SIDECAR_REDIS_PASSWORD)"
    )

    def read(self, scalar: Scalar) -> str:
        """Return the URL as it was written."""
        if not _is_redis(scalar.text):
            raise Refused(self._meant(scalar))
        return scalar.text

    def write(self, value: str) -> str:
        """Return the URL in quotes."""
        return quoted(value)

    @staticmethod
    def _meant(scalar: Scalar) -> str | None:
        scheme, slashes, rest = scalar.text.strip().rpartition("://")
        place = re.sub(r"[?#].*$|/$", "", rest.rpartition("@")[2])
        candidate = f"{scheme if slashes else 'redis'}://{place}"
        return quoted(candidate) if _is_redis(candidate) and len(candidate) <= SHOWN_MAX else None


def _is_redis(text: str) -> bool:
    match = re.fullmatch(r"rediss?://([^\s@/?#]+?)(:[0-9]{1,5})?(?:/[0-9]{1,3})?", text, re.ASCII)
    return match is not None and _address(f"{match[1]}{match[2] or ':6379'}") is not None


def _is_plain_path(path: str) -> bool:
    """Whether SQLite takes it for the name of a file: it reads `:memory:` and `file:…?mode=` in ways of its own."""
    return (
        path.isprintable() and path == path.strip() and path != "" and not path.endswith("/")
    ) and not path.startswith(("//", ":", "file:"))


def _address(text: str) -> Address | None:
    match = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^:\[\]]+)):([0-9]{1,5})", text)
    if match is None or int(match[3]) > PORT_MAX:
        return None
    host = match[1] or match[2]
    is_right = _is_ip(host, 6) if match[1] else _is_ip(host, 4) or _is_name(host)
    return Address(host=host, port=int(match[3])) if is_right else None


def is_host(host: str) -> bool:
    """Say whether this is a host: a name, an IPv4 address, or an IPv6 address without brackets."""
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
