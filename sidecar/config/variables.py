"""Secrets as they are read: an environment variable or the file that `NAME_FILE` names, never YAML, never in a message.

Every message says which variable, what is wrong with it, what is allowed and where to get a right one; none repeats
a value, not even a part of it.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from sidecar.ports import ErrorCode, SidecarError

LENGTH_MIN = 16
FILE_BYTES_MAX = 65_536


MAKE_ONE = "make one with: openssl rand -hex 24"

_PLACEHOLDER = re.compile(
    r"change[-_ ]?(?:me|this)|replace[-_ ]?(?:me|this)|place[-_ ]?holder|your[-_ ]|\.\.\.|…|[<>]", re.IGNORECASE
)
_WORDS_ONLY = re.compile(r"(?:secret|password|passwd|default|token|admin|12345678|[-_. ])*", re.IGNORECASE)
_ONE_LETTER = re.compile(r"(.)\1*")


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """A struct that no log, traceback or console shows the values of."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return []


class SecretsInvalid(SidecarError):  # noqa: N818 - named like its code, secret_invalid
    """The secrets cannot be used; the message has one line for every problem, without a value."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(ErrorCode.SECRET_INVALID, "\n".join(problems))
        self.problems = problems


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """What a variable holds, for its messages."""

    name: str
    allowed: str
    remedy: str = MAKE_ONE


class VariableReader:
    """Reads variables or their files, and collects what is wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._environment = environment

    def entries(
        self, variable: Variable, fault_of: Callable[[str], str | None], *, required: bool, several: bool = True
    ) -> tuple[str, ...]:
        """Return the variable's entries that have no fault; none if it is not set. An empty one counts as not set."""
        direct, path = self._environment.get(variable.name), self._environment.get(f"{variable.name}_FILE")
        if direct and path:
            self.refuse(variable, f"found it and {variable.name}_FILE as well, so that it is not clear which counts")
            return ()
        where = variable.name
        if path:
            where = f"{variable.name} (from the file {path})"
            direct = self._file(variable, path)
            if direct is None:
                return ()
        if not direct:
            if required or path:
                self.refuse(variable, "found nothing", where)
            return ()
        texts = [text.strip() for text in direct.split(",")] if several else [direct]
        faults = [fault_of(text) for text in texts]
        for number, fault in enumerate(faults, start=1):
            if fault is not None:
                self.refuse(variable, f"found {f'in entry {number} ' if len(texts) > 1 else ''}{fault}", where)
        return tuple(text for text, fault in zip(texts, faults, strict=True) if fault is None)

    def refuse(self, variable: Variable, fault: str, where: str = "") -> None:
        """Note a problem."""
        self.problems.append(f"{where or variable.name}: {fault}; allowed: {variable.allowed}; {variable.remedy}")

    def _file(self, variable: Variable, path: str) -> str | None:
        try:
            with Path(path).open("rb") as file:
                content = file.read(FILE_BYTES_MAX + 1)
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            reason = "it is not UTF-8"
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = getattr(error, "strerror", None) or str(error)
        else:
            if len(content) <= FILE_BYTES_MAX:
                return text.removesuffix("\n").removesuffix("\r")
            reason = f"it has more than {FILE_BYTES_MAX} bytes"
        self.refuse(variable, f"found the file {path}, which cannot be read ({reason})", f"{variable.name}_FILE")
        return None


def token_fault(value: str) -> str | None:
    """Return what is wrong with a token or key, without saying any of it; None: nothing."""
    if not value:
        return "nothing"
    if _PLACEHOLDER.search(value) or _WORDS_ONLY.fullmatch(value) or _ONE_LETTER.fullmatch(value):
        return "a placeholder"
    if not re.fullmatch(r"[!-+\--~]+", value):
        return "a space, a comma or another character that is not allowed"
    if len(value) < LENGTH_MIN:
        return f"{len(value)} characters"
    return None


def password_fault(value: str) -> str | None:
    """Return what is wrong with a password that others chose: its length is not for us to judge."""
    return None if re.fullmatch(r"[!-+\--~]+", value) else "a space, a comma or another character that is not allowed"
