"""The log: one line per event, never a secret, and never an error for its caller."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import structlog

from sidecar import logs
from sidecar.core.facts.observations import Heartbeat, Record
from sidecar.core.fold.conclusions import Conclusion, IsolationBroken

SECRET = "whsec_never_in_a_log"


@pytest.fixture
def _restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_has_no_local_variables(tmp_path: Path, *, as_json: bool) -> None:
    """The frames of an exception may contain bodies, tokens and secrets."""
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    lines = logs.configure(as_json=as_json, descriptor=descriptor)
    try:
        _fail_with(SECRET)
    except RuntimeError:
        structlog.get_logger().exception("http.failed")
    lines.close()
    os.close(descriptor)
    assert "RuntimeError" in path.read_text()
    assert SECRET not in path.read_text()


def _fail_with(token: str) -> None:
    assert token
    message = "unforeseen"
    raise RuntimeError(message)


@pytest.mark.usefixtures("_restored")
def test_a_line_cannot_be_forged(tmp_path: Path) -> None:
    """External input is in fields, and its line breaks are escaped."""
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    lines = logs.configure(as_json=True, descriptor=descriptor)
    structlog.get_logger().info("operator.acted", reason='x\n{"event": "flag.moved"}\u2028\udcff')
    lines.close()
    os.close(descriptor)
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["event"] == "operator.acted"


def test_a_blocked_reader_costs_lines_and_no_time() -> None:
    """The event loop never waits for the reader: lines beyond the limit are dropped and counted."""
    reader, writer = os.pipe()
    lines = logs.Lines(writer)
    for _ in range(30_000):
        lines.write("x" * 100 + "\n")
    assert lines.dropped > 10_000
    os.close(reader)  # unblocks the thread: the pipe is broken now
    lines.close()
    os.close(writer)


def test_a_broken_pipe_drops_lines_without_an_error() -> None:
    """`sidecar run | head -1` continues without a log."""
    reader, writer = os.pipe()
    os.close(reader)
    lines = logs.Lines(writer)
    lines.write("nobody reads this\n")
    lines.close()
    os.close(writer)
    assert lines.dropped == 1


@pytest.mark.usefixtures("_restored")
def test_written_lines_are_counted_by_level() -> None:
    """Lines of the sidecar and of the standard library count, below the level they do not."""
    reader, writer = os.pipe()
    os.close(reader)
    lines = logs.configure(as_json=True, descriptor=writer)
    assert lines.by_level == {"info": 0, "warning": 0, "error": 0, "critical": 0}
    log = structlog.get_logger()
    log.debug("not.written")
    log.info("one")
    log.warning("two")
    log.log(logging.WARNING, "three")
    try:
        _fail_with("x")
    except RuntimeError:
        log.exception("four")
    log.critical("five")
    logging.getLogger("aiohttp").error("six")
    lines.close()
    os.close(writer)
    assert lines.by_level == {"info": 1, "warning": 2, "error": 2, "critical": 1}


@pytest.mark.usefixtures("_restored")
def test_connections_that_a_library_lost_are_one_event_and_its_other_errors_stay(tmp_path: Path) -> None:
    """While Reverb hangs, asyncio and aiohttp log each write to it as an error."""
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    lines = logs.configure(as_json=True, descriptor=descriptor)
    for error in (
        ConnectionResetError("Cannot write to closing transport"),
        BrokenPipeError(),
        aiohttp.ServerDisconnectedError(),
    ):
        for name in ("asyncio", "aiohttp.client", "aiohttp.server"):
            for _ in range(4):
                logging.getLogger(name).error("Task exception was never retrieved", exc_info=error)
                logging.getLogger("asyncio").warning("socket.send() raised exception.")
    logging.getLogger("asyncio").error("Task exception was never retrieved", exc_info=ValueError("ours"))
    lines.close()
    os.close(descriptor)
    lost, other = (json.loads(line) for line in path.read_text().splitlines())
    assert (lost["event"], lost["level"], lost["error"]) == ("connection.lost", "warning", "ConnectionResetError")
    assert (other["event"], other["level"], other["error"]) == ("library.logged", "error", "ValueError")


def test_every_conclusion_has_an_event_name() -> None:
    """A conclusion without a name could not be logged."""
    assert set(logs.EVENTS) == set(Conclusion.__args__)
    assert len(set(logs.EVENTS.values())) == len(logs.EVENTS)


def test_a_conclusion_is_one_line_with_its_record_and_a_hint() -> None:
    """The event name is a constant; the record and the remedy are fields."""
    record = Record(seq=7, at_ms=1_000, observation=Heartbeat(replica="a", beat=1))
    with structlog.testing.capture_logs() as lines:
        logs.log_conclusions(record, [IsolationBroken()])
    (line,) = lines
    assert (line["event"], line["seq"], line["at_ms"]) == ("isolation.broken", 7, 1_000)
    assert "routes/channels.php" in line["hint"]
