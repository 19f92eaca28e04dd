"""Dashboards as files that Grafana provisions."""

import json
from pathlib import Path

from sidecar.dashboards.board import Board
from sidecar.dashboards.boards import boards
from sidecar.dashboards.terms import Shown


def printed(board: Board, shown: Shown) -> str:
    """Return a dashboard's file: the same for the same configuration, byte for byte."""
    return json.dumps(board.document(shown), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(folder: Path, shown: Shown) -> tuple[Path, ...]:
    """Write all dashboards into a folder, which is made where it is missing, and return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for board in boards(shown):
        path = folder / f"{board.name}.json"
        path.write_text(printed(board, shown))
        paths.append(path)
    return tuple(paths)
