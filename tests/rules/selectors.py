"""Selectors of a PromQL expression: metrics and label matchers, from an independent parser."""

import re
from collections.abc import Iterator

import msgspec
import promql_parser

_WINDOWS = {"$__rate_interval": "5m", "$__range": "5m", "$__interval": "1m"}
_VARIABLE = re.compile(r"\$\w+")


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """One metric in an expression."""

    name: str
    labels: tuple[tuple[str, frozenset[str]], ...]
    """Labels of the matchers, with their values."""


def parsed(expression: str) -> promql_parser.Expr:
    """Return the syntax tree, with five minutes or `.+` for Grafana's variables. Raises `ValueError`."""
    for window, length in _WINDOWS.items():
        expression = expression.replace(window, length)
    return promql_parser.parse(_VARIABLE.sub(".+", expression))


def selectors(expression: str) -> Iterator[Selector]:
    """Yield every selector of an expression. Raises `ValueError` for an invalid expression."""
    found: list[promql_parser.VectorSelector] = []

    def keep(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(parsed(expression), keep)
    for each in {str(node.prettify()): node for node in found}.values():
        labels = [
            (matcher.name, frozenset(_alternatives(matcher.value) if "Re" in str(matcher.op) else [matcher.value]))
            for matcher in each.matchers.matchers
        ]
        yield Selector(name=each.name or "", labels=tuple(labels))


def _alternatives(pattern: str) -> list[str]:
    """Return the values that a regular expression of alternatives matches."""
    group = re.fullmatch(r"([\w.]*)\(([^()]*)\)([\w.]*)", pattern)
    if group is None:
        return pattern.split("|")
    before, inside, after = group.groups()
    return [f"{before}{each}{after}" for each in inside.split("|")]
