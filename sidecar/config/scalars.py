"""How a single value may be written: words, texts, yes or no, whole numbers. `quantities` and `places` have the rest.

YAML guesses types: `on` is a boolean, `2024` a number, `1:30` ninety. So no value is taken at YAML's guess. A kind
gets the characters and the guess, and either returns the value or refuses, if it can with what was probably meant.
"""

import difflib
import enum
import re
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from sidecar.config.problems import quoted


class Guess(enum.StrEnum):
    """What YAML 1.1 takes a plain value for."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    NOTHING = "nothing"


class Scalar(msgspec.Struct, frozen=True, kw_only=True):
    """A value as it stands in the file."""

    text: str
    guess: Guess

    @property
    def shown(self) -> str:
        """The value for a message."""
        match self.guess:
            case Guess.STRING:
                return quoted(self.text)
            case Guess.NOTHING:
                return "nothing"
            case Guess.NUMBER | Guess.BOOLEAN | Guess.DATE:
                return f"the {self.guess} {quoted(self.text)[1:-1]}"


class Refused(Exception):  # noqa: N818 - an answer of a kind, which never leaves this package
    """A kind does not take the value."""

    def __init__(self, suggestion: str | None = None, *, note: str | None = None) -> None:
        super().__init__(suggestion)
        self.suggestion = suggestion
        """What was probably meant, as YAML; None: no idea."""
        self.note = note
        """What this writer should know besides what is allowed; None: nothing."""


class Kind(Protocol):
    """A way of writing a value."""

    @property
    def allowed(self) -> str:
        """What may be written, for a message."""
        ...

    def read(self, scalar: Scalar) -> object:
        """Return the value, or raise `Refused`."""
        ...

    def write(self, value: Any) -> str:
        """Return the value as it would be written in YAML."""
        ...


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A string whose every character is known to be harmless where it will be shown or compared."""

    pattern: str
    """The regular expression that the whole string must match; printable characters only, whatever it says."""
    allowed: str
    is_free: bool = False
    """Whoever writes it may choose it, so that a better spelling may be suggested; else it must be that of others."""

    def read(self, scalar: Scalar) -> str:
        """Return the string; what YAML takes for something else must be quoted."""
        if scalar.guess is Guess.STRING and self._fits(scalar.text):
            return scalar.text
        if scalar.guess is Guess.NOTHING:
            raise Refused
        tidied = re.sub(r"[^A-Za-z0-9._-]+", "-", scalar.text).strip("-")
        candidates = (scalar.text, tidied, tidied.lower()) if self.is_free else (scalar.text,)
        raise Refused(next((quoted(text) for text in candidates if self._fits(text)), None))

    def write(self, value: str) -> str:
        """Return the string in quotes."""
        return quoted(value)

    def _fits(self, text: str) -> bool:
        return text.isprintable() and re.fullmatch(self.pattern, text) is not None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One of a few words, each with the value that it stands for."""

    words: Mapping[str, object]

    @property
    def allowed(self) -> str:
        """The words; where there is one, the alternative is silence."""
        return alternatives(self.words) if len(self.words) > 1 else f"{next(iter(self.words))}, or no such key"

    def read(self, scalar: Scalar) -> object:
        """Return what the word stands for."""
        if scalar.guess is Guess.STRING and scalar.text in self.words:
            return self.words[scalar.text]
        raise Refused(closest(scalar.text.lower().replace("-", "_").replace(" ", "_"), self.words))

    def write(self, value: object) -> str:
        """Return the word for the value; a default may have none."""
        return next((word for word, meaning in self.words.items() if meaning == value), "no such key")


class Boolean(msgspec.Struct, frozen=True, kw_only=True):
    """`true` or `false`. YAML 1.1 has 22 spellings and 1.2 six: only these two mean the same to every reader."""

    allowed: str = "true or false, without quotes"

    def read(self, scalar: Scalar) -> bool:
        """Return the boolean."""
        if scalar.guess is Guess.BOOLEAN and scalar.text in ("true", "false"):
            return scalar.text == "true"
        meant = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
        raise Refused(meant.get(scalar.text.strip().lower()))

    def write(self, value: object) -> str:
        """Return the boolean as YAML."""
        return "true" if value else "false"


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A whole number in decimal digits."""

    at_least: int
    at_most: int

    @property
    def allowed(self) -> str:
        """The range."""
        return f"a whole number from {self.at_least} to {self.at_most}, in digits and without quotes"

    def read(self, scalar: Scalar) -> int:
        """Return the number. YAML 1.1 reads `010` as eight and `1_000` as a thousand: we read neither."""
        plain = re.fullmatch(r"0|[1-9][0-9]{0,17}", scalar.text)
        if scalar.guess is Guess.NUMBER and plain and self._fits(int(scalar.text)):
            return int(scalar.text)
        digits = re.fullmatch(r"([1-9][0-9]{0,17})(?:\.0+)?(?:e\+?([0-9]{1,2}))?", _without_separators(scalar.text))
        number = int(digits[1]) * 10 ** int(digits[2] or 0) if digits else None
        raise Refused(str(number) if number is not None and self._fits(number) else None)

    def write(self, value: int) -> str:
        """Return the number in digits."""
        return str(value)

    def _fits(self, number: int) -> bool:
        return self.at_least <= number <= self.at_most


def alternatives(words: Mapping[str, object]) -> str:
    """Return `a, b or c`; of at least two words."""
    *most, last = words
    return f"{', '.join(most)} or {last}"


def closest(word: str, words: Mapping[str, object]) -> str | None:
    """Return the one of `words` that is spelled most like `word`; None: none is close."""
    return next(iter(difflib.get_close_matches(word, words, n=1)), None)


def _without_separators(text: str) -> str:
    return re.sub(r"[_,' ]", "", text.strip()).lower()
