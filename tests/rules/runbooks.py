"""The runbooks as they are read: their parts, and the queries in them."""

import re
from pathlib import Path

from tests.rules.promtool import ROOT

FOLDER = ROOT / "docs" / "runbooks"
RUNBOOKS = tuple(sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md"))
PARTS = (
    "What it means for payers",
    "What to look at first",
    "How to make it safe in one step",
    "How to find the cause",
    "How to know that it is over",
)


def parts(runbook: Path) -> dict[str, str]:
    """Return the parts of a runbook by their headings, in their order."""
    found = re.split(r"^## (.+)$", runbook.read_text(), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def queries(runbook: Path) -> list[str]:
    """Return the PromQL queries of a runbook: blocks of code, whose paragraphs are one each."""
    blocks = re.findall(r"^```promql\n(.*?)^```$", runbook.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [query.strip() for block in blocks for query in block.split("\n\n") if query.strip()]
