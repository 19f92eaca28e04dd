"""The recipes of CONTRIBUTING.md name files that exist, and no more of them than is allowed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
HEADING = re.compile(r"^### (?P<name>.+)$", re.MULTILINE)
STEP = re.compile(r"^\d+\. `(?P<file>[^`]+)`", re.MULTILINE)

LIMITS = [
    # recipe                           files
    ("An ack source",                  4),
    ("A process metric",               1),
    ("A folded metric",                1),
    ("A record listener",              2),
    ("A kind of notification target",  3),
    ("A journal backend",              3),
    ("A probe",                        3),
    ("A gate",                         1),
    ("A gate with a setting",          3),
    ("A mode",                         5),
]  # fmt: skip
"""Hand-written production files; a backend's own folder counts as one."""


def recipes() -> dict[str, list[str]]:
    """Return the files of each recipe, in order."""
    _, _, section = TEXT.partition("\n## Recipes\n")
    section = section.partition("\n## ")[0]
    names = [*HEADING.finditer(section)]
    ends = [*(each.start() for each in names[1:]), len(section)]
    return {
        each["name"]: [step["file"] for step in STEP.finditer(section, each.end(), end)]
        for each, end in zip(names, ends, strict=True)
    }


def test_every_recipe_has_a_limit() -> None:
    """A recipe without a limit grows unnoticed."""
    assert set(recipes()) == {name for name, _ in LIMITS}


@pytest.mark.parametrize(("name", "files_max"), LIMITS)
def test_a_recipe_touches_few_files_and_they_exist(name: str, files_max: int) -> None:
    """New files are named with a placeholder in angle brackets, in a folder that exists."""
    files = recipes()[name]
    assert 1 <= len(files) <= files_max
    assert len(set(files)) == len(files)
    for file in files:
        path = ROOT / file.partition("<")[0]
        assert path.is_file() or ("<" in file and path.is_dir()), file
