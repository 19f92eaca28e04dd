"""What is wrong with a configuration file: where, what was found, what is allowed, and what was probably meant."""

import json
import re

import msgspec

from sidecar.ports import ErrorCode, SidecarError

SHOWN_MAX = 60
"""Characters of a value that a message repeats at most."""

_CREDENTIALS = (
    (re.compile(r"(?<=://)[^/\s]*@"), "***@"),
    (re.compile(r"\b(whsec|sk|rk)_\w+"), r"\1_***"),
)
"""What never belongs into this file, but must not reach a log when someone puts it there."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a configuration file."""

    path_in_file: str
    """The key, such as `policy.lease` or `ladder[1].share` (the first is 0); empty: the file as a whole."""
    line: int | None
    """From 1; None: not a place in the text, as when there is no file."""
    column: int | None
    """From 1; None with `line`."""
    found: str
    allowed: str
    suggestion: str | None = None
    """What was probably meant, as it would be written in YAML; None: nothing is likely enough."""

    def rendered(self, file: str) -> str:
        """Return the problem as one line that begins with its place in `file`, as compilers do."""
        place = file if self.line is None else f"{file}:{self.line}:{self.column}"
        key = f"{self.path_in_file}: " if self.path_in_file else ""
        meant = f"; did you mean {self.suggestion}?" if self.suggestion is not None else ""
        return f"{place}: {key}found {self.found}; allowed: {self.allowed}{meant}"


class ConfigInvalid(SidecarError):  # noqa: N818 - named like its code, config_invalid
    """The configuration cannot be used; the message has one line for every problem, in the file's order."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(ErrorCode.CONFIG_INVALID, "\n".join(problem.rendered(file) for problem in problems))
        self.file = file
        self.problems = problems


def quoted(text: str) -> str:
    """Return the text in double quotes as YAML and JSON write it: on one line, shortened, without credentials."""
    for pattern, mask in _CREDENTIALS:
        text = pattern.sub(mask, text)
    if len(text) > SHOWN_MAX:
        text = f"{text[:SHOWN_MAX]}…"
    return printable(json.dumps(text, ensure_ascii=False))


def printable(text: str) -> str:
    """Return the text with every character that a terminal would act upon written as an escape."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
