"""Read a file into YAML's node tree, with the place of every node; refuse everything but one plain YAML document.

Anchors, aliases and tags are refused: with them eight lines can expand to a gigabyte, and one key can have two values.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from sidecar.config.problems import ConfigInvalid, Problem, printable

BYTES_MAX = 65_536
DEPTH_MAX = 20
"""Nested lists and mappings; the schema has three levels."""
NODES_MAX = 1000
"""Keys and values; a file with every key of the schema has fewer than 400."""
_LINE_MAX = 200
"""The longest line for which a suggestion is made, in characters."""

_YAML_RULES = (
    'YAML, where "key: value" has a space after the colon, spaces indent, '
    "and quotes are needed round a value that ends in : or starts with one of [ { @ % `"
)
_REPORTED_LATE = ("end of stream", "stream end", "could not find expected")
"""Errors of PyYAML that are better reported where the unfinished construct began."""

_NEEDS_QUOTES = re.compile(r"(?:.*[\s{,])??(\w+):\s+(\[[^\]\s]*\]:[0-9]+|[^\s\"'#{},]+:)[\s},]*(?:#.*)?")
"""A line with a value that YAML reads as another construct: `public: [::1]:8700`, `journal: memory:`."""


class _Unusable(Exception):  # noqa: N818 - ends the reading of a document; handled within this file
    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


def read_document(path: Path, text: str | None = None) -> yaml.Node:
    """Return the root of the file's only YAML document, or that of the text. Raises `ConfigInvalid`."""
    try:
        return _root(_decoded(_content(path)) if text is None else text)
    except _Unusable as unusable:
        raise ConfigInvalid(str(path), unusable.problems) from unusable.__cause__


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except FileNotFoundError as error:
        others = (path.with_suffix(suffix) for suffix in (".yaml", ".yml"))
        meant = next((str(other) for other in others if other.is_file()), None)
        raise _Unusable(_problem(None, "no such file", "a YAML file", meant)) from error
    except IsADirectoryError as error:
        raise _Unusable(_problem(None, "a directory", "a YAML file")) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise _Unusable(_problem(None, f"a file that cannot be read ({reason})", "a YAML file")) from error
    if len(content) > BYTES_MAX:
        raise _Unusable(_problem(None, f"more than {BYTES_MAX} bytes", f"at most {BYTES_MAX} bytes"))
    return content


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place_after(error.object[: error.start].decode("utf-8-sig"))
        found = f"the byte 0x{error.object[error.start]:02X}, which is not UTF-8"
        raise _Unusable(_problem(place, found, "UTF-8")) from error


def _root(text: str) -> yaml.Node:
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        found = f"the character U+{ord(text[error.position]):04X}"
        allowed = "printable characters, line breaks, and tabs inside a value"
        raise _Unusable(_problem(_place_after(text[: error.position]), found, allowed)) from error
    try:
        _refuse_unneeded_features(loader)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _Unusable(_syntax_problem(text, error)) from error
    except (ValueError, OverflowError) as error:  # PyYAML raises these for "\UFFFFFFFF" and %YAML 1.<5000 digits>
        found = "YAML that cannot be read (a number out of range)"
        raise _Unusable(_problem(_place(loader.get_mark()), found, _YAML_RULES)) from error
    if root is None:
        raise _Unusable(_problem((1, 1), "an empty file", "a mapping with at least the key environment"))
    return root


def _refuse_unneeded_features(loader: yaml.SafeLoader) -> None:
    """Check YAML's events one by one, so that a bomb is found before its tree is built."""
    problems = []
    depth = nodes = 0
    while loader.check_event():
        event: yaml.Event = loader.get_event()  # type: ignore[no-untyped-call] # the stubs leave it out
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        place = _place(event.start_mark)
        if depth > DEPTH_MAX:
            raise _Unusable(_problem(place, "a list or mapping in too many others", f"at most {DEPTH_MAX} levels"))
        if nodes > NODES_MAX:
            raise _Unusable(_problem(place, "too many keys and values", f"at most {NODES_MAX}"))
        found = _shorthand(event)
        if found is not None:
            problems.append(_problem(place, printable(found), "values without anchors, aliases and tags"))
    if problems:
        raise _Unusable(*problems)


def _shorthand(event: yaml.Event) -> str | None:
    if isinstance(event, yaml.AliasEvent):
        return f"the alias *{event.anchor}"
    if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        return f"the anchor &{event.anchor}"
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
        return f"the tag {event.tag.replace('tag:yaml.org,2002:', '!!')}"
    return None


def _syntax_problem(text: str, error: yaml.MarkedYAMLError) -> Problem:
    reported = error.problem or ""
    is_reported_late = any(words in reported for words in _REPORTED_LATE)
    mark = error.context_mark if is_reported_late and error.context_mark else error.problem_mark
    place = _place(mark) if mark else None
    if "'\\t'" in reported:
        return _problem(place, "a tab", "spaces: YAML does not indent with tabs")
    if reported == "but found another document":
        return _problem(place, "a second document", "one document in a file")
    reason = printable(f"{error.context}: {reported}" if error.context else reported)
    line = next(iter(text.splitlines()[place[0] - 1 :]), "") if place else ""
    match = _NEEDS_QUOTES.fullmatch(line) if len(line) <= _LINE_MAX else None
    suggestion = f'{match[1]}: "{match[2]}"' if match else None
    return _problem(place, f"YAML that cannot be read ({reason})", _YAML_RULES, suggestion)


def _place(mark: Any) -> tuple[int, int]:
    """Return line and column from 1. PyYAML has two classes of marks, without a common parent."""
    return mark.line + 1, mark.column + 1


def _place_after(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _problem(place: tuple[int, int] | None, found: str, allowed: str, suggestion: str | None = None) -> Problem:
    """Return a problem of the whole file, or of a place without a key."""
    line, column = place if place is not None else (None, None)
    return Problem(path_in_file="", line=line, column=column, found=found, allowed=allowed, suggestion=suggestion)
