"""Journal backends as they are configured: one class for each URL scheme, in one table.

`sidecar.journal` has the table that opens them.
"""

import re
from collections.abc import Iterable
from typing import ClassVar, Self

import msgspec

from sidecar.config.problems import quoted
from sidecar.config.scalars import Kind, Scalar


class JournalPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a journal is: `SCHEME:REST`. Each backend has its own subclass."""

    scheme: ClassVar[str]
    allowed: ClassVar[str]
    """The form, for a message."""
    survives_restart: ClassVar[bool] = True

    @classmethod
    def of(cls, rest: str) -> Self | None:
        """Return the place from the text after the scheme; None: the text is not allowed."""
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
    mark: str = ""
    """The file of a second copy of its high-water mark (`journal_mark`); empty: there is none."""
    must_exist: bool = False
    """Whether a missing or empty file is refused (`journal_must_exist`)."""

    @classmethod
    def of(cls, rest: str) -> Self | None:
        """Return the place, unless SQLite reads the path in another way, such as `:memory:` or `file:…?mode=`."""
        is_plain = rest.isprintable() and rest == rest.strip() and rest != "" and not rest.endswith("/")
        return cls(path=rest) if is_plain and not rest.startswith(("//", ":", "file:")) else None

    def write(self) -> str:
        """Return the place as YAML."""
        return f"{self.scheme}:{self.path}"


class MemoryPlace(JournalPlace, frozen=True, kw_only=True):
    """A journal that ends with the process, for trials."""

    scheme: ClassVar[str] = "memory"
    allowed: ClassVar[str] = '"memory:" in quotes'
    survives_restart: ClassVar[bool] = False

    @classmethod
    def of(cls, rest: str) -> Self | None:
        """Return the place; no text may follow the scheme."""
        return None if rest else cls()

    def write(self) -> str:
        """Return the place as YAML."""
        return quoted(f"{self.scheme}:")


def journal_place(place: JournalPlace, *, mark: str | None, must_exist: bool) -> JournalPlace:
    """Return the place of a journal with what other keys of the configuration say about it."""
    if not isinstance(place, SqlitePlace):
        return place
    return msgspec.structs.replace(place, mark=mark or "", must_exist=must_exist)


JOURNAL_PLACES: tuple[type[JournalPlace], ...] = (SqlitePlace, MemoryPlace)
"""The places of all backends; `sidecar.journal` opens them."""

_MEANT = {
    "memory": "memory:",
    ":memory:": "memory:",
    "sqlite::memory:": "memory:",
    "sqlite": "sqlite:reverb-sidecar.db",
    "sqlite:": "sqlite:reverb-sidecar.db",
}


class JournalText(Kind, frozen=True, kw_only=True):
    """`SCHEME:REST`, such as `sqlite:PATH` or `memory:`."""

    places: tuple[type[JournalPlace], ...] = JOURNAL_PLACES

    @property
    def allowed(self) -> str:
        """The forms of all places."""
        *others, last = (place.allowed for place in self.places)
        return f"{', '.join(others)}, or {last}"

    def parse(self, scalar: Scalar) -> JournalPlace:
        """Return where the journal is."""
        scheme, colon, rest = scalar.text.partition(":")
        for place in self.places if colon else ():
            found = place.of(rest) if scheme == place.scheme else None
            if found is not None:
                return found
        raise ValueError(scalar.text)

    def candidates(self, scalar: Scalar) -> Iterable[str]:
        """Return the journal in memory, or the SQLite file of a bare path or of another spelling."""
        text = scalar.text.strip()
        if text in _MEANT:
            return [_MEANT[text]]
        scheme, colon, rest = text.rpartition(":")
        is_likely = scheme in ("sqlite", "sqlite3", "file") if colon else rest.endswith((".db", ".sqlite", ".sqlite3"))
        return [f"sqlite:{re.sub(r'^/+', '/', rest)}"] if is_likely else []

    def note(self, scalar: Scalar) -> str:
        """Explain why Redis is not a journal."""
        is_redis = scalar.text.startswith(("redis:", "rediss:"))
        return "this version keeps its journal in SQLite, on one machine" if is_redis else ""

    def write(self, value: JournalPlace) -> str:
        """Return the place as YAML."""
        return value.write()
