"""Every parser accepts its input or raises its own error. The long version is `make fuzz`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import PARSERS, SEEDS, TARGETS
from tests.waiting import HANGS_AFTER_S

ROOT = Path(__file__).parents[2]


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Return a valid input with some of it replaced, removed, doubled or cut off."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 8))
        piece = draw(
            st.one_of(
                st.binary(max_size=6),
                st.sampled_from(
                    [b"1e999", b"-1", b"9" * 400, b"null", b"[" * 50, b"\\ud800", b"\xff", b"\x00", b"NaN", b'"']
                ),
            )
        )
        data[start : start + length] = piece
    return bytes(data)


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_refuses_in_its_own_words_what_is_not_quite_right(name: str) -> None:
    """Slightly damaged valid input raises only the parser's own errors."""

    @given(mutated(SEEDS[name]))
    def feed(data: bytes) -> None:
        TARGETS[name](data)

    feed()


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_refuses_in_its_own_words_any_bytes_at_all(name: str) -> None:
    """Random bytes raise only the parser's own errors."""

    @given(st.binary(max_size=500))
    def feed(data: bytes) -> None:
        TARGETS[name](data)

    feed()


def fuzz(*names: str, runs: int) -> subprocess.CompletedProcess[str]:
    """Run the coverage-guided fuzzer for a number of executions each."""
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.run",
        *names,
        "--runs",
        str(runs),
        "--seconds",
        str(round(HANGS_AFTER_S)),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_coverage_guided_fuzzer_finds_nothing() -> None:
    """Some hundred guided executions of each parser find no failure."""
    ended = fuzz(runs=500)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert re.findall(r"^fuzzing (\w+)", ended.stderr, re.MULTILINE) == PARSERS
    assert ended.stderr.count("Done 500 runs") == len(PARSERS)


def test_the_coverage_guided_fuzzer_finds_what_was_planted() -> None:
    """The guided fuzzer finds a planted failure on four bytes, and continues with the next target."""
    ended = fuzz("planted", "planted", runs=1_000_000)
    assert ended.returncode == 2
    assert (ended.stderr + ended.stdout).count("AssertionError: found") >= 2
    assert ended.stderr.count("fuzzing planted") == 2
