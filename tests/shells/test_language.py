"""`tools/check-language` counts words that the vocabulary replaced, "Let" docstrings, long functions and long files."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "check-language"
RULES = """
paths = ["sidecar", "docs"]
extensions = ["py", "md", "js"]
words = ["told", "give way"]
identifiers = ["rest"]
[patterns]
"key holds" = '"holds"'
[[allow]]
word = "told"
path = "docs/old.md"
text = "allowed"
reason = "a test"
"""


def _checked(root: Path, files: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run the tool in a repository with the files and one allowed use."""
    contents = {"tools/language.toml": RULES, "docs/old.md": "An allowed use: told.\n", **files}
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    subprocess.run(["git", "-C", str(root), "add", "--all"], check=True)
    command = [sys.executable, str(TOOL), "--root", str(root), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _function(lines: int, *, table: bool = False) -> str:
    """Return a function with so many lines, without or with a literal table of as many lines."""
    body = ["    return ["] + ["        0,"] * (lines - 3) + ["    ]"] if table else ["    pass"] * (lines - 1)
    return "\n".join(["def long() -> object:", *body, ""])


# fmt: off
FOUND = [
    ("docs/a.md",             "It is told.\n",                         "docs/a.md:1: told: It is told."),
    ("docs/a.md",             "Told once,\nand give way.\n",           "docs/a.md:2: give way: and give way."),
    ("sidecar/a.py",          "was_told = 1\n",                        "sidecar/a.py:1: told: was_told = 1"),
    ("sidecar/a.js",          "const isTold = 1\n",                    "sidecar/a.js:1: told: const isTold = 1"),
    ("sidecar/told.py",       "",                                      "sidecar/told.py:0: told: sidecar/told.py"),
    ("sidecar/a.py",          "rest_after = 1\n",                      "sidecar/a.py:1: rest: rest_after = 1"),
    ("sidecar/a.py",          'row["holds"]\n',                        'sidecar/a.py:1: key holds: row["holds"]'),
    ("sidecar/a.py",          '"""Let it be."""\n',                    'sidecar/a.py:1: "Let" docstring: Let it be.'),
    ("sidecar/a.js",          "/** Let it be. */\n",                   'sidecar/a.js:1: "Let" docstring: /** Let it be. */'),
    ("sidecar/a.py",          _function(61),                           "sidecar/a.py:1: function over 60 lines: long: 61 lines"),
    ("sidecar/a.py",          "x = 1\n" * 401,                         "sidecar/a.py:1: file over 400 lines: 401 lines"),
]
NOT_COUNTED = [
    ("docs/a.md",         "The rest is untold.\n"),
    ("docs/old.md",       "An allowed use: told.\n"),
    ("docs/a.png",        "told\n"),
    ("tests/a.md",        "told\n"),
    ("sidecar/a.py",      "def test_the_rest_is_left() -> None: ...\n"),
    ("sidecar/a.py",      _function(60)),
    ("sidecar/a.py",      _function(100, table=True)),
    ("sidecar/a.py",      'def long() -> str:\n    return """' + "\n" * 100 + '"""\n'),
    ("sidecar/a.py",      "x = 1\n" * 400),
]
# fmt: on


@pytest.mark.parametrize(("file", "text", "found"), FOUND)
def test_each_use_is_found_with_its_place(tmp_path: Path, file: str, text: str, found: str) -> None:
    """The tool prints the place of each use and exits with 1, or with 0 for a report."""
    checked = _checked(tmp_path, {file: text}, "--places")
    assert (checked.returncode, found in checked.stdout.splitlines()) == (1, True), checked.stdout + checked.stderr
    assert _checked(tmp_path, {file: text}, "--report").returncode == 0


@pytest.mark.parametrize(("file", "text"), NOT_COUNTED)
def test_what_is_allowed_is_not_counted(tmp_path: Path, file: str, text: str) -> None:
    """Other words, allowed uses, other files, literal tables and lengths within the limit do not count."""
    checked = _checked(tmp_path, {file: text})
    assert (checked.returncode, checked.stdout.split()) == (0, ["all", "0", "good"]), checked.stdout + checked.stderr


def test_an_allowed_use_that_no_longer_occurs_is_an_error(tmp_path: Path) -> None:
    """The list of allowed uses only shrinks with the code."""
    checked = _checked(tmp_path, {"docs/old.md": "Nothing.\n"}, "--places")
    assert checked.returncode == 1
    assert "tools/language.toml:0: unused allow: told in docs/old.md: a test" in checked.stdout


def test_the_table_counts_by_word_and_by_folder(tmp_path: Path) -> None:
    """The most frequent word comes first, with its counts by folder."""
    files = {"docs/a.md": "told told\n", "sidecar/core/b.py": "told = give_way = 1\n"}
    lines = [line.split(maxsplit=2) for line in _checked(tmp_path, files).stdout.splitlines()]
    assert lines[0] == ["told", "3", "docs 2, sidecar/core 1"]
    assert lines[-1] == ["all", "4", "limit 0"]
