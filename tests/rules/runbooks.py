"""The runbooks: their sections and queries."""

import re
from pathlib import Path

from tests.rules.promtool import ROOT

FOLDER = ROOT / "docs" / "runbooks"
RUNBOOKS = tuple(sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md"))
PARTS = (
    "What it means",
    "Impact",
    "How to check",
    "What to do",
    "How to find the cause",
    "How to verify",
)


def parts(runbook: Path) -> dict[str, str]:
    """Return the sections of a runbook by heading, in order."""
    found = re.split(r"^## (.+)$", runbook.read_text(), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def queries(runbook: Path) -> list[str]:
    """Return the PromQL queries of a runbook: each paragraph of a code block is one query."""
    blocks = re.findall(r"^```promql\n(.*?)^```$", runbook.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [query.strip() for block in blocks for query in block.split("\n\n") if query.strip()]
