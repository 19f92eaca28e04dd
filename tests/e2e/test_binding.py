"""A change of what is judged, on the command line: what `check` foresees, and what `run`, `restore` and `gate` refuse."""

import json
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.processes import SidecarProcess
from tests.e2e.test_main_job import LAX

# fmt: off
FORESEEN = [
    # in the file,                   in its place,                     exit code, what `check` says
    ("",                             "",                               0, None),
    ("lease: 6s",                    "lease: 7s",                      0, "The evidence is kept."),
    ("reliability: 75%",             "reliability: 76%",               0, "every indicator begins a new epoch, and the rung is kept."),
    ("[booking_id]",                 "[]",                             0, "stripe.required_metadata changed, so an outcome means something else: the flag moves to the bottom rung (now: rung 0)"),
    ("soak: 1s",                     "soak: 2s",                       0, "the ladder or the dry run changed too"),
    ("environment: end-to-end",      "environment: production",        1, "The journal belongs to `environment: end-to-end`"),
    ("livemode: false",              "livemode: true",                 1, "The journal belongs to `stripe.livemode: false`"),
]
# fmt: on


async def test_check_says_beforehand_what_a_change_would_do_and_run_refuses_another_journal(tmp_path: Path) -> None:
    """A person learns that a key costs the evidence of months before it does; `check` only reads."""
    process = SidecarProcess(tmp_path, LAX)
    async with aiohttp.ClientSession() as session:
        with process:
            await process.ready(session)
            assert process.stop() == 0
    text, journal = process.config.read_text(), process.journal.read_bytes()
    for old, new, code, said in FORESEEN:
        assert old in text
        process.config.write_text(text.replace(old, new))
        shown = process.cli("check", "--here")
        assert shown.returncode == code
        assert "differs from the one in force" not in shown.stdout if said is None else said in shown.stdout
        answer = json.loads(process.cli("check", "--here", "--json").stdout)
        assert (answer["ok"], not answer["here"]["refused"]) == (code == 0, code == 0)
        assert answer["here"]["changed"] == (["stripe.required_metadata"] if new == "[]" else [])
        if code:
            refused = process.cli("run")
            assert (refused.returncode, str(said) in refused.stderr) == (2, True)
            gate = process.cli("gate")
            assert gate.returncode == 2
    assert process.journal.read_bytes() == journal
    with pytest.MonkeyPatch.context() as changed:
        changed.chdir(tmp_path)
        assert process.cli("backup", "copy.db").returncode == 0
        restored = process.cli("restore", "copy.db", "--replace", "--reason", "a mistake")
        assert (restored.returncode, "copy.db: The journal belongs to" in restored.stderr) == (2, True)
    assert process.journal.read_bytes() == journal


async def test_a_policy_that_returns_needs_a_persons_word_and_check_says_so(tmp_path: Path) -> None:
    """A replica with an old file must take nobody back."""
    process = SidecarProcess(tmp_path, LAX)
    first = process.config.read_text()
    async with aiohttp.ClientSession() as session:
        for text in (first, first.replace("lease: 6s", "lease: 7s")):
            process.config.write_text(text)
            with process:
                await process.ready(session)
                assert process.stop() == 0
    process.config.write_text(first)
    assert "returns only with `sidecar run --adopt-policy" in process.cli("check", "--here").stdout
