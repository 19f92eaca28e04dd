"""From a file to YAML's node tree, with the place of every node; whatever is no plain YAML document ends here.

Anchors, aliases and tags are refused: they let eight lines stand for a gigabyte, and one key say two things.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from sidecar.config.problems import ConfigInvalid, Problem, printable

BYTES_MAX = 65_536
DEPTH_MAX = 20
"""Nested lists and mappings; the deepest that the schema knows is three."""
NODES_MAX = 1000
"""Keys and values; a file that uses all that the schema allows has under 400."""
_LINE_MAX = 200
"""Characters of a line that a suggestion is made for at most."""

_YAML_RULES = (
    'YAML, where "key: value" has a space after the colon, spaces indent, '
    "and quotes are needed round a value that ends in : or starts with one of [ { @ % `"
)
_KNOWN_LATE = ("end of stream", "stream end", "could not find expected")
"""PyYAML's complaints that are better placed where the unfinished thing began."""

_NEEDS_QUOTES = re.compile(r"(?:.*[\s{,])??(\w+):\s+(\[[^\]\s]*\]:[0-9]+|[^\s\"'#{},]+:)[\s},]*(?:#.*)?")
"""A line with a value that YAML takes for something else: `public: [::1]:8700`, `journal: memory:`."""


class _Unusable(Exception):  # noqa: N818 - what stops the reading of a document; never leaves this file
    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


def read_document(path: Path) -> yaml.Node:
    """Return the root of the file's only YAML document. Raises `ConfigInvalid`."""
    try:
        return _root(_decoded(_content(path)))
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
        _forbid_what_is_not_needed(loader)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _Unusable(_syntax_problem(text, error)) from error
    except (ValueError, OverflowError) as error:  # PyYAML lets these through for "\UFFFFFFFF" and %YAML 1.<5000 digits>
        found = "YAML that cannot be read (a number out of range)"
        raise _Unusable(_problem(_place(loader.get_mark()), found, _YAML_RULES)) from error
    if root is None:
        raise _Unusable(_problem((1, 1), "an empty file", "a mapping with at least the key environment"))
    return root


def _forbid_what_is_not_needed(loader: yaml.SafeLoader) -> None:
    """Look at YAML's events, which come one by one, so that a bomb is found before it is built."""
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
    said = error.problem or ""
    is_known_late = any(words in said for words in _KNOWN_LATE)
    mark = error.context_mark if is_known_late and error.context_mark else error.problem_mark
    place = _place(mark) if mark else None
    if "'\\t'" in said:
        return _problem(place, "a tab", "spaces: YAML does not indent with tabs")
    if said == "but found another document":
        return _problem(place, "a second document", "one document in a file")
    reason = printable(f"{error.context}: {said}" if error.context else said)
    line = next(iter(text.splitlines()[place[0] - 1 :]), "") if place else ""
    match = _NEEDS_QUOTES.fullmatch(line) if len(line) <= _LINE_MAX else None
    suggestion = f'{match[1]}: "{match[2]}"' if match else None
    return _problem(place, f"YAML that cannot be read ({reason})", _YAML_RULES, suggestion)


def _place(mark: Any) -> tuple[int, int]:
    """Return line and column from 1. PyYAML has two kinds of marks, without a common parent."""
    return mark.line + 1, mark.column + 1


def _place_after(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _problem(place: tuple[int, int] | None, found: str, allowed: str, suggestion: str | None = None) -> Problem:
    """Return a problem of the file as a whole, or of a place in it that has no key yet."""
    line, column = place if place is not None else (None, None)
    return Problem(path_in_file="", line=line, column=column, found=found, allowed=allowed, suggestion=suggestion)
