"""All dashboards."""

from sidecar.dashboards import decision, itself, overview, payments, reverb
from sidecar.dashboards.board import Board
from sidecar.dashboards.terms import Shown


def boards(shown: Shown) -> tuple[Board, ...]:
    """Return the dashboards."""
    return (
        overview.board(shown),
        payments.board(shown),
        reverb.board(shown),
        decision.board(shown),
        itself.board(shown),
    )
