"""What a PromQL expression reads: names of metrics, and what it asks of their labels."""

import re
from collections.abc import Iterator

import msgspec

_SELECTOR = re.compile(r"(?<![\w:])((?:job:)?reverb_sidecar_\w+(?::\w+)?)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """One metric in an expression."""

    name: str
    labels: tuple[tuple[str, frozenset[str]], ...]
    """Every label that is asked of, with the values that are named."""


def selectors(expression: str) -> Iterator[Selector]:
    """Yield every metric of ours that an expression reads."""
    for name, matchers in _SELECTOR.findall(expression):
        labels = [
            (label, frozenset(_alternatives(value) if "~" in operator else [value]))
            for label, operator, value in _MATCHER.findall(matchers)
        ]
        yield Selector(name=name, labels=tuple(labels))


def _alternatives(pattern: str) -> list[str]:
    """Return the values that a regular expression of ours stands for: words, and one group of them."""
    group = re.fullmatch(r"([\w.]*)\(([^()]*)\)([\w.]*)", pattern)
    if group is None:
        return pattern.split("|")
    before, inside, after = group.groups()
    return [f"{before}{each}{after}" for each in inside.split("|")]
