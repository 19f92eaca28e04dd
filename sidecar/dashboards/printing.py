"""Dashboards as files for Grafana's provisioning."""

import json
from pathlib import Path

from sidecar.dashboards.board import Board
from sidecar.dashboards.boards import boards
from sidecar.dashboards.terms import Shown


def printed(board: Board, shown: Shown) -> str:
    """Return the content of a dashboard's file. Equal configurations give equal bytes."""
    return json.dumps(board.document(shown), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(folder: Path, shown: Shown) -> tuple[Path, ...]:
    """Write all dashboards into a folder, create it if necessary, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for board in boards(shown):
        path = folder / f"{board.name}.json"
        path.write_text(printed(board, shown))
        paths.append(path)
    return tuple(paths)
