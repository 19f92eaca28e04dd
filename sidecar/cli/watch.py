"""`sidecar status --watch`: one screen, drawn again every second."""

import contextlib
import threading
from pathlib import Path

from rich.live import Live

from sidecar import clock
from sidecar.cli.operator_client import Unanswered, get, operator_url
from sidecar.cli.program import fail, read_file, screen
from sidecar.console.status import Status
from sidecar.console.status_watch import screen_of, unreachable

EVERY_S = 1.0


def watch_status(config: Path) -> None:
    """Show the status until Ctrl-C. Exits with a message if nothing answers the first time."""
    address = operator_url(read_file(config))
    try:
        _, found = get(address, "/api/status", Status)
    except Unanswered as error:
        fail(error.message, error.code)
    answered_s, console, pause = clock.monotonic_s(), screen(), threading.Event()
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(screen_of(found), console=console, auto_refresh=False, screen=console.is_terminal) as live,
    ):
        while True:
            pause.wait(EVERY_S)
            try:
                _, found = get(address, "/api/status", Status)
            except Unanswered as error:
                live.update(unreachable(error.message, clock.monotonic_s() - answered_s), refresh=True)
            else:
                answered_s = clock.monotonic_s()
                live.update(screen_of(found), refresh=True)
