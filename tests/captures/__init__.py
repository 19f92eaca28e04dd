"""Traffic recorded between a real Laravel app, a real Reverb and a real pusher-js; the README describes it."""

from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).parent

APP_ID, KEY, SECRET = "501", "liverefresh-key", "liverefresh-secret"
"""Dummies, made for the recording."""


def recorded(folder: str) -> dict[str, dict[str, Any]]:
    """Return the exchanges of a folder of `*.json` by name, in alphabetical order."""
    return {path.stem: msgspec.json.decode(path.read_bytes()) for path in sorted((FOLDER / folder).glob("*.json"))}


def lines(file: str) -> list[dict[str, Any]]:
    """Return the lines of a `*.jsonl`."""
    return [msgspec.json.decode(line) for line in (FOLDER / file).read_bytes().splitlines() if line]
