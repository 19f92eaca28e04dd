"""The page of all outcomes is generated from the code."""

from pathlib import Path

from sidecar.doctor import catalogue

PAGE = Path(__file__).parents[2] / "docs" / "outcomes.md"


def test_the_page_of_outcomes_is_up_to_date() -> None:
    """Run `sidecar doctor --outcomes > docs/outcomes.md` after a change."""
    assert PAGE.read_text() == catalogue()
