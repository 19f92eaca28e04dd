"""Kinds of single values: text, choice, boolean and whole number. `quantities` and `places` define the others.

YAML 1.1 guesses types: `on` is a boolean, `2024` a number, `1:30` ninety. A kind therefore reads the characters itself,
with YAML's guess beside them. It returns the value, or refuses it and suggests the closest one that it accepts.
"""

import difflib
import enum
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import msgspec

from sidecar.config.problems import SHOWN_MAX, quoted


class Guess(enum.StrEnum):
    """The type that YAML 1.1 gives to a plain value."""

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


class Refused(Exception):  # noqa: N818 - the negative result of `Kind.read`, handled within this package
    """The value is not allowed."""

    def __init__(self, suggestion: str | None, note: str) -> None:
        super().__init__(suggestion)
        self.suggestion = suggestion
        """The likely intended value, as YAML; None: there is none."""
        self.note = note
        """An explanation to add to what is allowed; empty: none."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of value: `parse` accepts or refuses, and `candidates` lists what a refused value may have meant."""

    guess: ClassVar[Guess] = Guess.STRING
    """YAML's guess for a value of this kind as it is suggested."""
    is_quoted: ClassVar[bool] = True
    """Whether a suggestion stands in quotes."""

    @property
    def allowed(self) -> str:
        """The form and the range, for a message."""
        raise NotImplementedError

    def parse(self, scalar: Scalar) -> Any:
        """Return the value. Raises `ValueError` if it is not allowed."""
        raise NotImplementedError

    def candidates(self, scalar: Scalar) -> Iterable[str]:
        """Return texts that a refused value may have meant, the likeliest first. They need not be allowed."""
        del scalar
        return ()

    def note(self, scalar: Scalar) -> str:
        """Return an explanation for the author of a refused value; empty: none."""
        del scalar
        return ""

    def write(self, value: Any) -> str:
        """Return the value as it stands in YAML."""
        return quoted(value)

    def read(self, scalar: Scalar) -> Any:
        """Return the value, or raise `Refused`."""
        try:
            return self.parse(scalar)
        except ValueError as error:
            meant = next(filter(self._accepts, self.candidates(scalar)), None)
            suggestion = quoted(meant) if meant is not None and self.is_quoted else meant
            raise Refused(suggestion, self.note(scalar)) from error

    def _accepts(self, text: str) -> bool:
        if len(text) > SHOWN_MAX:
            return False
        try:
            self.parse(Scalar(text=text, guess=self.guess))
        except ValueError:
            return False
        return True


class Text(Kind, frozen=True, kw_only=True):
    """A string of which every character is harmless wherever it is shown or compared."""

    pattern: str
    """The regular expression that the whole string must match. Unprintable characters are always refused."""
    allowed: str
    is_free: bool = False
    """Whether the author of the file chooses the string, so that another spelling may be suggested."""

    def parse(self, scalar: Scalar) -> str:
        """Return the string. A string that YAML reads as another type needs quotes."""
        if scalar.guess is Guess.STRING and scalar.text.isprintable() and re.fullmatch(self.pattern, scalar.text):
            return scalar.text
        raise ValueError(scalar.text)

    def candidates(self, scalar: Scalar) -> Iterable[str]:
        """Return the text in quotes, and for a free one without the characters that are not allowed."""
        if scalar.guess is Guess.NOTHING:
            return ()
        tidied = re.sub(r"[^A-Za-z0-9._-]+", "-", scalar.text).strip("-")
        return (scalar.text, tidied, tidied.lower()) if self.is_free else (scalar.text,)


class Choice(Kind, frozen=True, kw_only=True):
    """One of a few words, each with its value."""

    is_quoted: ClassVar[bool] = False

    words: Mapping[str, object]

    @property
    def allowed(self) -> str:
        """The words. A single word can only be left out."""
        *most, last = self.words
        return f"{', '.join(most)} or {last}" if most else f"{last}, or no such key"

    def parse(self, scalar: Scalar) -> object:
        """Return the value of the word."""
        if scalar.guess is self.guess and scalar.text in self.words:
            return self.words[scalar.text]
        raise ValueError(scalar.text)

    def candidates(self, scalar: Scalar) -> Iterable[str]:
        """Return the word with the most similar spelling."""
        return filter(None, [closest(scalar.text.lower().replace("-", "_").replace(" ", "_"), self.words)])

    def write(self, value: object) -> str:
        """Return the word of the value; a default may have none."""
        return next((word for word, meaning in self.words.items() if meaning == value), "no such key")


class Boolean(Choice, frozen=True, kw_only=True):
    """`true` or `false`: of the 22 spellings of YAML 1.1, only these two mean the same to every YAML reader."""

    guess: ClassVar[Guess] = Guess.BOOLEAN

    words: Mapping[str, object] = MappingProxyType({"true": True, "false": False})

    @property
    def allowed(self) -> str:
        """The words."""
        return "true or false, without quotes"

    def candidates(self, scalar: Scalar) -> Iterable[str]:
        """Return the boolean of another spelling."""
        meant = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
        return filter(None, [meant.get(scalar.text.strip().lower())])


class Whole(Kind, frozen=True, kw_only=True):
    """A whole number in decimal digits."""

    guess: ClassVar[Guess] = Guess.NUMBER
    is_quoted: ClassVar[bool] = False

    at_least: int
    at_most: int

    @property
    def allowed(self) -> str:
        """The range."""
        return f"a whole number from {self.at_least} to {self.at_most}, in digits and without quotes"

    def parse(self, scalar: Scalar) -> int:
        """Return the number. `010` and `1_000`, which YAML 1.1 reads as 8 and 1000, are refused."""
        is_plain = scalar.guess is Guess.NUMBER and re.fullmatch(r"0|[1-9][0-9]{0,17}", scalar.text)
        if is_plain and self.at_least <= int(scalar.text) <= self.at_most:
            return int(scalar.text)
        raise ValueError(scalar.text)

    def candidates(self, scalar: Scalar) -> Iterable[str]:
        """Return the number without separators, quotes and exponent."""
        text = re.sub(r"[_,' ]", "", scalar.text.strip()).lower()
        digits = re.fullmatch(r"([1-9][0-9]{0,17})(?:\.0+)?(?:e\+?([0-9]{1,2}))?", text)
        return [str(int(digits[1]) * 10 ** int(digits[2] or 0))] if digits else []

    def write(self, value: int) -> str:
        """Return the number in digits."""
        return str(value)


def closest(word: str, words: Iterable[str]) -> str | None:
    """Return the one of `words` with the spelling closest to `word`; None: none is close."""
    return next(iter(difflib.get_close_matches(word, words, n=1)), None)
