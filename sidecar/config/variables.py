"""Read secrets from environment variables or from the files that `NAME_FILE` variables name; never from YAML.

Every message has the variable, the fault, what is allowed and where to get a valid value. No message repeats a value or
a part of it.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from sidecar.ports import ErrorCode, SidecarError

LENGTH_MIN = 16
FILE_BYTES_MAX = 65_536

_PLACEHOLDER = re.compile(
    r"change[-_ ]?(?:me|this)|replace[-_ ]?(?:me|this)|place[-_ ]?holder|your[-_ ]|\.\.\.|…|[<>]", re.IGNORECASE
)
_WORDS_ONLY = re.compile(r"(?:secret|password|passwd|default|token|admin|12345678|[-_. ])*", re.IGNORECASE)
_ONE_LETTER = re.compile(r"(.)\1*")
_BAD_CHARACTER = "a space, a comma or another character that is not allowed"


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """A struct whose values no log, traceback or console shows."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return []


class SecretsInvalid(SidecarError):  # noqa: N818 - named like its code, secret_invalid
    """The secrets are invalid; the message has one line for every problem, without a value."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(ErrorCode.SECRET_INVALID, "\n".join(problems))
        self.problems = problems


def token_fault(value: str) -> str | None:
    """Return the fault of a token or key, without a part of it; None: there is none."""
    if not value:
        return "nothing"
    if _PLACEHOLDER.search(value) or _WORDS_ONLY.fullmatch(value) or _ONE_LETTER.fullmatch(value):
        return "a placeholder"
    if password_fault(value):
        return _BAD_CHARACTER
    return f"{len(value)} characters" if len(value) < LENGTH_MIN else None


def password_fault(value: str) -> str | None:
    """Return the fault of a password of another system, which may have any length; None: there is none."""
    return None if re.fullmatch(r"[!-+\--~]+", value) else _BAD_CHARACTER


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """An environment variable with a secret."""

    name: str
    allowed: str
    """The allowed form, for a message."""
    remedy: str = "make one with: openssl rand -hex 24"
    """Where to get a valid value, for a message."""
    fault_of: Callable[[str], str | None] = token_fault
    """Returns the fault of an entry, without a part of it; None: there is none."""
    is_list: bool = False
    """Whether the value has several entries, separated by commas."""


class VariableReader:
    """Reads variables or their files, and collects the problems."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._problems: list[str] = []

    def entries(self, variable: Variable, *, required: bool) -> tuple[str, ...]:
        """Return the valid entries of the variable. An empty variable counts as not set."""
        name, file_name = variable.name, f"{variable.name}_FILE"
        direct, path = self._environment.get(name), self._environment.get(file_name)
        if direct and path:
            self.refuse(variable, f"found it and {file_name} as well; set only one of them")
            return ()
        where = name
        if path:
            where = f"{name} (from the file {path})"
            direct = self._file(variable, path)
            if direct is None:
                return ()
        if not direct:
            if required or path:
                self.refuse(variable, "found nothing", where)
            return ()
        texts = [text.strip() for text in direct.split(",")] if variable.is_list else [direct]
        faults = [variable.fault_of(text) for text in texts]
        for number, fault in enumerate(faults, start=1):
            if fault is not None:
                self.refuse(variable, f"found {f'in entry {number} ' if len(texts) > 1 else ''}{fault}", where)
        return tuple(text for text, fault in zip(texts, faults, strict=True) if fault is None)

    def entry(self, variable: Variable, *, required: bool) -> str | None:
        """Return the value of the variable; None: it is not set, or invalid."""
        return next(iter(self.entries(variable, required=required)), None)

    def refuse(self, variable: Variable, fault: str, where: str = "") -> None:
        """Record a problem."""
        self._problems.append(f"{where or variable.name}: {fault}; allowed: {variable.allowed}; {variable.remedy}")

    def raise_problems(self) -> None:
        """Raise `SecretsInvalid` with all recorded problems, if there are any."""
        if self._problems:
            raise SecretsInvalid(tuple(self._problems))

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
