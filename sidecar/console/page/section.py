"""The shape that sections of the console share: lines, facts and tables; `templates/section.html` lays them out."""

import enum

import msgspec

from sidecar.console.labels import Moment


class Tone(enum.StrEnum):
    """How a value is to be read. Each has a colour and a shape, and stands beside text."""

    GOOD = "good"
    CALM = "calm"
    """Neutral."""
    WAIT = "wait"
    """Pending: no action is needed."""
    BAD = "bad"
    BLIND = "blind"
    """Unknown."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence, with an icon or a bar."""

    text: str
    tone: Tone | None = None
    ratio: float | None = None
    """From 0 to 1, drawn as a bar below; None: no bar."""
    target_ratio: float | None = None


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A name and its value."""

    name: str
    value: str
    moment: Moment | None = None
    """Shown instead of the value, as a time."""
    tone: Tone | None = None
    aside: str = ""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a table."""

    text: str
    code: str = ""
    """A name of the API, after the text."""
    aside: str = ""
    meaning: str = ""
    """A sentence on a line of its own."""
    icon: Tone | None = None
    tone: Tone = Tone.CALM
    """Of the bar."""
    ratio: float | None = None
    """From 0 to 1, drawn as a bar; None: no bar."""
    target_ratio: float | None = None
    moment: Moment | None = None
    """Shown instead of the text, as a date."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows under heads; the first column names the row."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[int] = frozenset({1})
    """Columns that are aligned to the right."""
    is_caption_visible: bool = True


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One section of the page."""

    key: str
    title: str
    lines: tuple[Line, ...] = ()
    cause: str = ""
    """What is wrong, as a sentence; empty: nothing."""
    changes: tuple[str, ...] = ()
    """What to change, the most likely first."""
    facts: tuple[Fact, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
