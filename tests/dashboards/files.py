"""The committed dashboards, their panels and queries."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.rules.promtool import ROOT

FOLDER = ROOT / "dashboards"
FILES = tuple(sorted(FOLDER.glob("*.json")))
DOCUMENTS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FILES}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One query and its place."""

    where: str
    expr: str
    kind: str
    """Type of the panel, or `annotation`, or `variable`."""
    is_instant: bool = False


def panels(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a dashboard, without rows."""
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def targets() -> Iterator[Asked]:
    """Yield every query of every panel of every dashboard."""
    for name, document in DOCUMENTS.items():
        for panel in panels(document):
            for target in panel["targets"]:
                where = f"{name}, {panel['title']}, {target['refId']}"
                yield Asked(where=where, expr=target["expr"], kind=panel["type"], is_instant=target["instant"])


def annotations() -> Iterator[Asked]:
    """Yield every distinct query of an annotation."""
    seen = set()
    for name, document in DOCUMENTS.items():
        for each in document["annotations"]["list"]:
            if "expr" in each and each["expr"] not in seen:
                seen.add(each["expr"])
                yield Asked(where=f"{name}, {each['name']}", expr=each["expr"], kind="annotation")


def variables() -> Iterator[Asked]:
    """Yield the selector of each variable's `label_values(selector, label)`."""
    for name, document in DOCUMENTS.items():
        for each in document["templating"]["list"]:
            if each["type"] == "query":
                query = each["query"]["query"].removeprefix("label_values(").rpartition(",")[0]
                yield Asked(where=f"{name}, ${each['name']}", expr=query, kind="variable")
