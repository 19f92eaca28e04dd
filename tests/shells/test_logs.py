"""The log: one line per event, never a secret, and never a reason to stop."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from sidecar import logs

SECRET = "whsec_never_in_a_log"


@pytest.fixture
def _restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_is_told_without_local_variables(tmp_path: Path, *, as_json: bool) -> None:
    """The frames of what fails hold bodies, tokens and secrets."""
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
    """What comes from outside is a field, and its line breaks are escaped."""
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    lines = logs.configure(as_json=True, descriptor=descriptor)
    structlog.get_logger().info("operator.acted", reason='x\n{"event": "flag.moved"}\u2028\udcff')
    lines.close()
    os.close(descriptor)
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["event"] == "operator.acted"


def test_a_reader_that_is_stuck_costs_lines_and_not_time() -> None:
    """The log is written from the event loop; what nobody reads is dropped and counted."""
    reader, writer = os.pipe()
    lines = logs.Lines(writer)
    for _ in range(30_000):
        lines.write("x" * 100 + "\n")
    assert lines.dropped > 10_000
    os.close(reader)  # lets the thread go on: the pipe is broken now
    lines.close()
    os.close(writer)


def test_a_broken_pipe_is_no_reason_to_stop() -> None:
    """`sidecar run | head -1` goes on with its work, without a log."""
    reader, writer = os.pipe()
    os.close(reader)
    lines = logs.Lines(writer)
    lines.write("nobody reads this\n")
    lines.close()
    os.close(writer)
    assert lines.dropped == 1


@pytest.mark.usefixtures("_restored")
def test_lines_are_counted_by_level_where_they_are_written() -> None:
    """Ours and the standard library's, also those that nobody reads; what is not written is not counted."""
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
