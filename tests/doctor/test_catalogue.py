"""The page of all outcomes is written from the code."""

from pathlib import Path

from sidecar.doctor import catalogue

PAGE = Path(__file__).parents[2] / "docs" / "outcomes.md"


def test_the_documented_outcomes_are_the_outcomes() -> None:
    """`sidecar doctor --outcomes > docs/outcomes.md` after a change."""
    assert PAGE.read_text() == catalogue()
