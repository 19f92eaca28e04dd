"""The threats of docs/security.md: each names a test that there is, and each class of threat and each route has some."""

import ast
import re
from pathlib import Path

import pytest

from sidecar.composition.parts import kinds_of
from sidecar.parts.routes import declared_routes, path_name

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
THREATS = re.findall(r"^\| ([^|]*) \| ([STRIDE]) \| ([^|]+) \| `(tests/[^`]+)` \|$", PAGE, re.MULTILINE)


def _names_of(path: Path) -> set[str]:
    """Return the names of a file's tests."""
    tree = ast.parse(path.read_text())
    return {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=["::".join(filter(None, each)) for each in NAMED])
def test_a_test_that_the_page_names_exists(path: str, name: str) -> None:
    """And is collected: its file and its name begin with `test_`."""
    assert (ROOT / path).name.startswith("test_")
    assert (ROOT / path).exists(), path
    if name:
        assert name.startswith("test_")
        assert name in _names_of(ROOT / path), name


def test_every_class_of_threat_is_there_and_every_threat_has_a_test() -> None:
    """STRIDE, whole; a row whose test is not written as code would not be a row here."""
    assert {kind for _, kind, _, _ in THREATS} == set("STRIDE")
    table = PAGE.partition("## Threats")[2].partition("\n## ")[0]
    assert len(THREATS) == sum(line.startswith("| ") for line in table.splitlines()) - 1


ROUTES = sorted(
    {f"{route.method} {path_name(route.path)}" for kind in kinds_of() for _, route in declared_routes(kind)}
)
ENTRIES = PAGE.partition("## Entry points")[2].partition("\n## ")[0]


def test_every_route_is_an_entry_point_of_the_page_and_no_other_is() -> None:
    """A new route must say which threats of the table are its own; one that is gone must leave the page."""
    listed = re.findall(r"`((?:GET|POST) [^`]+)`", ENTRIES)
    assert sorted(listed) == ROUTES
    assert "GET /metrics" in listed


def test_every_entry_point_has_threats_in_the_table() -> None:
    """The first column of its row is a thing of the table of threats."""
    subjects = {at for at, *_ in THREATS if at}
    rows = re.findall(r"^\| ([^|]+) \| (?:`|the same)", ENTRIES, re.MULTILINE)
    assert set(rows) <= subjects, set(rows) - subjects
    assert len(rows) == sum(line.startswith("| ") for line in ENTRIES.splitlines()) - 1
