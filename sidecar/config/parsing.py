"""Convert YAML nodes into the structs of `schema` by their annotations, and report all problems at once."""

import enum
import functools
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
import yaml

from sidecar.config.document import read_document
from sidecar.config.problems import ConfigInvalid, Problem, quoted
from sidecar.config.reverb import Reverb
from sidecar.config.rules import Reading, problems_between
from sidecar.config.scalars import Boolean, Choice, Guess, Kind, Refused, Scalar, closest
from sidecar.config.schema import RENAMED, Config
from sidecar.config.section import Items, Section

_INVALID: Any = object()
"""Stands for an invalid value, so that reading continues with the next one."""

_GUESSES = {
    "tag:yaml.org,2002:int": Guess.NUMBER,
    "tag:yaml.org,2002:float": Guess.NUMBER,
    "tag:yaml.org,2002:bool": Guess.BOOLEAN,
    "tag:yaml.org,2002:timestamp": Guess.DATE,
    "tag:yaml.org,2002:null": Guess.NOTHING,
}
"""The guess of each YAML 1.1 tag; every other plain value is a string."""


def read_config(path: str | Path, text: str | None = None) -> Config:
    """Return the configuration in the file, or in a text for it. Raises `ConfigInvalid` with all its problems."""
    reader = _DocumentReader()
    config = reader.value(Config, read_document(Path(path), text), "")
    problems = [*reader.problems, *problems_between(reader.readings)]
    if problems or not isinstance(config, Config):
        raise ConfigInvalid(str(path), tuple(sorted(problems, key=_place)))
    return config


class _Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The forms that an annotation allows: any of a scalar, a mapping and a list."""

    kind: Kind | None = None
    section: type[Section] | None = None
    items: Items | None = None
    element: Any = None
    """The annotation of a list's elements."""

    @property
    def allowed(self) -> str:
        """All forms, for a message."""
        parts = (
            self.kind.allowed if self.kind else None,
            f"a mapping with {_keys_text(self.section)}" if self.section else None,
            self.items.allowed if self.items else None,
        )
        return ", or ".join(filter(None, parts))


UNKNOWN_APP = "unknown"
"""The placeholder for an application id that is not given."""


def reverb_from_options(
    *, url: str, app_key: str, origin: str, auth_endpoint: str, user_id: str, channel: str, app_id: str = UNKNOWN_APP
) -> Reverb:
    """Return the Reverb of command-line options. Raises `ConfigInvalid`, with the checks of a file."""
    content = {
        "environment": "doctor",
        "reverb": {
            "url": url,
            "app_id": app_id,
            "app_key": app_key,
            "origin": origin,
            "auth_endpoint": auth_endpoint,
            "channel": channel,
            "probe": {"user_id": user_id},
        },
    }
    reader, node = _DocumentReader(), yaml.compose(yaml.safe_dump(content), Loader=yaml.SafeLoader)
    config = reader.value(Config, node, "") if node is not None else None
    if not isinstance(config, Config) or config.reverb is None:
        problems = (msgspec.structs.replace(problem, line=None, column=None) for problem in reader.problems)
        raise ConfigInvalid("the command line", tuple(problems))
    return config.reverb


class _DocumentReader:
    """One pass through a document: the valid values by path, and the problems."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.readings: dict[str, Reading] = {}

    def value(self, annotation: Any, node: yaml.Node, path: str, *, note: str = "") -> Any:
        """Return the node's value, or `_INVALID` and record the problem. `note` is added where the value is missing."""
        shape = _shape(annotation)
        if isinstance(node, yaml.MappingNode) and shape.section:
            return self._section(shape.section, node, path)
        if isinstance(node, yaml.SequenceNode) and shape.items:
            return self._list(shape.items, shape.element, node, path)
        if isinstance(node, yaml.ScalarNode) and shape.kind:
            return self._scalar(shape, shape.kind, node, path, note=note)
        is_lone_element = shape.items and isinstance(node, yaml.ScalarNode) and not _is_nothing(node)
        suggestion = f"[{node.value}]" if is_lone_element and node.value.isalnum() else None
        allowed = f"{shape.allowed}{note if _is_nothing(node) else ''}"
        return self._refuse(path, node, _shown(node), allowed, suggestion)

    def _section(self, section: type[Section], node: yaml.MappingNode, path: str) -> Any:
        fields = {field.encode_name: field for field in msgspec.structs.fields(section)}
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            if key in lines:
                found = f"the key a second time (the first is on line {lines[key]})"
                values[key] = self._refuse(_join(path, key), key_node, found, "each key once")
            elif key not in fields:
                self._refuse_key(section, key_node, path)
            else:
                lines[key] = key_node.start_mark.line + 1
                note = "" if fields[key].required else "; or leave the key out"
                values[key] = self.value(fields[key].type, value_node, _join(path, key), note=note)
        for key, field in fields.items():
            if key in values:
                continue
            if field.required:
                allowed = _shape(field.type).allowed
                values[key] = self._refuse(_join(path, key), node, "no such key", f"{allowed}; the key is required")
            else:
                values[key] = field.default
                self._record_default(field.type, field.default, _join(path, key))
        if any(value is _INVALID for value in values.values()):
            return _INVALID
        return section(**{field.name: values[key] for key, field in fields.items()})

    def _refuse_key(self, section: type[Section], node: yaml.Node, path: str) -> None:
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(path, node, f"{_shown(node)} as a key", _keys_text(section))
            return
        here = [field.encode_name for field in msgspec.structs.fields(section)]
        word = node.value.lower().replace("-", "_")
        elsewhere = None if path.endswith("]") else _paths_by_key().get(word)  # in a list the path would be ambiguous
        renamed = RENAMED.get(word) if RENAMED.get(word) in here else None
        found = "an unknown key" if renamed is None else "a key that was renamed"
        key = node.value if node.value.isidentifier() and node.value.isascii() else quoted(node.value)
        meant = renamed or closest(word, here) or elsewhere
        self._refuse(_join(path, key[:64]), node, found, _keys_text(section), meant)

    def _list(self, items: Items, element: Any, node: yaml.SequenceNode, path: str) -> Any:
        if not items.at_least <= len(node.value) <= items.at_most:
            found = f"a list of {len(node.value)}" if node.value else "an empty list"
            return self._refuse(path, node, found, items.allowed)
        values: list[Any] = []
        for index, child in enumerate(node.value):
            value = self.value(element, child, f"{path}[{index}]")
            if items.is_set and value is not _INVALID and value in values:
                value = self._refuse(f"{path}[{index}]", child, f"{_shown(child)} a second time", "each value once")
            values.append(value)
        return _INVALID if any(value is _INVALID for value in values) else tuple(values)

    def _scalar(self, shape: _Shape, kind: Kind, node: yaml.ScalarNode, path: str, *, note: str) -> Any:
        scalar = _scalar_of(node)
        try:
            value = kind.read(scalar)
        except Refused as refused:
            more = note if scalar.guess is Guess.NOTHING else ""
            why = f" ({refused.note})" if refused.note else ""
            return self._refuse(path, node, scalar.shown, f"{shape.allowed}{why}{more}", refused.suggestion)
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        self.readings[path] = Reading(value=value, kind=kind, line=line, column=column, shown=scalar.shown)
        return value

    def _record_default(self, annotation: Any, value: Any, path: str) -> None:
        shape = _shape(annotation)
        if isinstance(value, Section):
            for field in msgspec.structs.fields(type(value)):
                self._record_default(field.type, getattr(value, field.name), _join(path, field.encode_name))
        elif shape.kind and value is not None:
            shown = shape.kind.write(value)
            self.readings[path] = Reading(value=value, kind=shape.kind, line=None, column=None, shown=shown)

    def _refuse(self, path: str, node: yaml.Node, found: str, allowed: str, suggestion: str | None = None) -> Any:
        self.problems.append(
            Problem(
                path_in_file=path,
                line=node.start_mark.line + 1,
                column=node.start_mark.column + 1,
                found=found,
                allowed=allowed,
                suggestion=suggestion,
            )
        )
        return _INVALID


def _shape(annotation: Any) -> _Shape:
    if get_origin(annotation) in (Union, types.UnionType):
        shapes = [_shape(member) for member in get_args(annotation) if member is not types.NoneType]
        kind = next((shape.kind for shape in shapes if shape.kind), None)
        section = next((shape.section for shape in shapes if shape.section), None)
        return _Shape(kind=kind, section=section)
    if get_origin(annotation) is Annotated:
        target, written = get_args(annotation)
        if isinstance(written, Items):
            return _Shape(items=written, element=get_args(target)[0])
        return _Shape(kind=written)
    if annotation is bool:
        return _Shape(kind=Boolean())
    if issubclass(annotation, enum.Enum):
        return _Shape(kind=Choice(words={each.value: each for each in annotation}))
    return _Shape(section=annotation)


@functools.cache
def _paths_by_key() -> dict[str, str]:
    """Return the path of each key, to suggest it for a key in the wrong section."""
    return {path.rpartition(".")[2]: path for path in _key_paths(Config, "")}


def _key_paths(section: type[Section], path: str) -> Iterator[str]:
    """Yield the path of every key outside lists."""
    for field in msgspec.structs.fields(section):
        yield _join(path, field.encode_name)
        inner = _shape(field.type).section
        if inner is not None:
            yield from _key_paths(inner, _join(path, field.encode_name))


def _keys_text(section: type[Section]) -> str:
    names = [field.encode_name for field in msgspec.structs.fields(section)]
    return f"the key {names[0]}" if len(names) == 1 else f"the keys {', '.join(names)}"


def _scalar_of(node: yaml.ScalarNode) -> Scalar:
    return Scalar(text=node.value, guess=_GUESSES.get(node.tag, Guess.STRING))


def _is_nothing(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and _scalar_of(node).guess is Guess.NOTHING


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return _scalar_of(node).shown
    return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line or 0, problem.column or 0
