"""`docs/gate.md` names every check, and no other."""

import re
from pathlib import Path

from tests.release.prepared import Past
from tests.release.test_readiness import verdict

PAGE = Path(__file__).parents[2] / "docs" / "gate.md"


def test_the_page_names_every_check_and_no_other() -> None:
    """The reasons in a pipeline's log are looked up there."""
    table = PAGE.read_text().partition("## Checks")[2].partition("A release is")[0]
    named = {
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([a-z_…]+)`", row.split("|")[1])
    }
    asked = {re.sub("^(evidence|recent)_.*", r"\1_…", check.name) for check in verdict(Past()).checks}
    assert named == asked
