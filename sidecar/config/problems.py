"""Problems of a configuration file: the place, what was found, what is allowed, and the likely correction."""

import json
import re

import msgspec

from sidecar.ports import ErrorCode, SidecarError

SHOWN_MAX = 60
"""The most characters of a value that a message repeats."""

_CREDENTIALS = (
    (re.compile(r"(?<=://)[^/\s]*@"), "***@"),
    (re.compile(r"\b(whsec|sk|rk)_\w+"), r"\1_***"),
)
"""Credentials that do not belong into this file; a message that quotes them masks them."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem of a configuration file."""

    path_in_file: str
    """The key, such as `policy.lease` or `ladder[1].share` (the first is 0); empty: the file as a whole."""
    line: int | None
    """From 1; None: the problem has no place in the text, as when there is no file."""
    column: int | None
    """From 1; None with `line`."""
    found: str
    allowed: str
    suggestion: str | None = None
    """The likely correction, as YAML; None: there is none."""

    def rendered(self, file: str) -> str:
        """Return the problem as one line that begins with its place in `file`, like a compiler error."""
        place = file if self.line is None else f"{file}:{self.line}:{self.column}"
        key = f"{self.path_in_file}: " if self.path_in_file else ""
        meant = f"; did you mean {self.suggestion}?" if self.suggestion is not None else ""
        return f"{place}: {key}found {self.found}; allowed: {self.allowed}{meant}"


class ConfigInvalid(SidecarError):  # noqa: N818 - named like its code, config_invalid
    """The configuration is invalid; the message has one line for every problem, in the file's order."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(ErrorCode.CONFIG_INVALID, "\n".join(problem.rendered(file) for problem in problems))
        self.file = file
        self.problems = problems


def quoted(text: str) -> str:
    """Return the text as a string of YAML and JSON: in double quotes, on one line, shortened, without credentials."""
    for pattern, mask in _CREDENTIALS:
        text = pattern.sub(mask, text)
    if len(text) > SHOWN_MAX:
        text = f"{text[:SHOWN_MAX]}…"
    return printable(json.dumps(text, ensure_ascii=False))


def printable(text: str) -> str:
    """Return the text with unprintable characters, which a terminal may interpret, as escapes."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
