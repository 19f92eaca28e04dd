"""`lifecycle: removed` on the command line: the output of `check` and `run`."""

import json
from pathlib import Path

import aiohttp

from tests.e2e.processes import SidecarProcess, until
from tests.e2e.test_main_job import LAX

REFUSED = "`lifecycle: removed` is accepted only on the last rung of the ladder"


async def test_check_and_run_say_why_the_ladder_cannot_be_taken_off_yet(tmp_path: Path) -> None:
    """`run` fails on an empty journal, serves timers on one with another rung, and reports both."""
    process = SidecarProcess(tmp_path, LAX + "lifecycle: removed\n")
    unknown = process.cli("check", "--here")
    assert (unknown.returncode, f"{process.journal} does not exist" in unknown.stdout) == (0, True)
    refused = process.cli("run")
    assert (refused.returncode, REFUSED in refused.stderr) == (2, True)
    assert "this journal was never on it" in refused.stderr
    removing = process.config.read_text()
    process.config.write_text(removing.replace("removed", "migrating"))
    async with aiohttp.ClientSession() as session:
        with process:
            await process.ready(session)
            assert process.stop() == 0
        process.config.write_text(removing)
        foreseen = process.cli("check", "--here")
        assert foreseen.returncode == 1
        why = f"{REFUSED}: that is rung 1 (push_with_safety_net), and the current one is rung 0 (timer_polling)."
        assert why in foreseen.stdout
        assert why in json.loads(process.cli("check", "--here", "--json").stdout)["here"]["refused"]
        with process:

            async def is_logged() -> bool:
                return bool(process.lines("policy.refused"))

            await until(is_logged, "the refusal is in the log")
            assert why in process.lines("policy.refused")[0]["why"]
            assert (await process.flag(session))["reason"] == "policy_differs"
            assert why in " ".join(process.cli("status").stdout.split())
