"""The shipped configuration with one's own values: every key keeps its comment."""

import importlib.resources
import json
import re
from collections.abc import Mapping

import yaml

OPTIONAL = ("api_url", "csrf_url", "login_url", "isolation", "reference")
"""Keys under `reverb` that stay comments: their examples are nobody's default."""
_COMMENT_COLUMN = 40


def shipped() -> str:
    """Return the text of the shipped configuration, which has every key with its default."""
    return importlib.resources.files("sidecar.config").joinpath("sidecar.yaml").read_text()


def filled(values: Mapping[str, str]) -> str:
    """Return the shipped configuration with these values, as YAML by path (`stripe.user_key`).

    `reverb` stays a comment unless a value of it is given.
    """
    lines = shipped().splitlines()
    if any(path.startswith("reverb.") for path in values):
        lines = _without_comment(lines)
    for path, value in values.items():
        lines = _with_value(lines, path.split("."), value)
    return "\n".join(lines) + "\n"


def written(value: object) -> str:
    """Return a value as YAML on one line: text in quotes only where it needs them."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(each) for each in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    is_plain = re.fullmatch(r"[A-Za-z0-9/][A-Za-z0-9_./:@{}+-]*", text) and not text.endswith(":")
    return text if is_plain and yaml.safe_load(text) == text else json.dumps(text)


def _without_comment(lines: list[str]) -> list[str]:
    """Return the lines with `reverb` as keys, but for those that stay comments."""
    begin = next(index for index, line in enumerate(lines) if line.startswith("# reverb:"))
    end = lines.index("", begin)
    block = [line.removeprefix("# ") for line in lines[begin:end]]
    kept = [
        re.sub(r"^( *)", r"\1# ", line) if line.strip().startswith(tuple(f"{key}:" for key in OPTIONAL)) else line
        for line in block
    ]
    return [*lines[:begin], *kept, *lines[end:]]


def _with_value(lines: list[str], path: list[str], value: str) -> list[str]:
    """Return the lines with a value at a path; a key that is a comment becomes one."""
    begin = 0
    for depth, key in enumerate(path):
        indent = "  " * depth
        match = re.compile(rf"{indent}(?:# )?{key}:(?: |$)").match
        begin = next(index for index, line in enumerate(lines) if index >= begin and match(line))
    comment = re.search(r"\s(#.*)$", lines[begin].partition(f"{path[-1]}:")[2])
    line = f"{'  ' * (len(path) - 1)}{path[-1]}: {value}"
    shown = f"{line.ljust(_COMMENT_COLUMN - 1)} {comment[1]}" if comment else line
    return [*lines[:begin], shown, *lines[begin + 1 :]]
