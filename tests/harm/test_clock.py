"""A wall clock that is set while the sidecar runs: journal time never goes back, and open payments are unmeasured."""

import os
from pathlib import Path

import aiohttp
import pytest

from sidecar.core.facts.observations import ClockJumped
from sidecar.journal.sqlite.verification import inspect, opened_to_read
from tests.e2e.processes import SidecarProcess, until
from tests.e2e.test_main_job import LAX
from tests.harm.test_disk import climbed, pay, served

LIBRARY = Path(__file__).parents[2] / ".tools" / "libfaketime.so.1"


def jumps(journal: Path) -> list[int]:
    """Return the detected jump of the clock in milliseconds."""
    with opened_to_read(journal) as (_, reader):
        facts = [record.observation for record in reader.read(0, 1_000_000)]
    return [fact.by_ms for fact in facts if isinstance(fact, ClockJumped)]


@pytest.mark.parametrize("by_s", [3600, -3600])
async def test_a_clock_that_is_set_is_noticed_and_nothing_is_believed_of_that_moment(tmp_path: Path, by_s: int) -> None:
    """After a jump of an hour timers are served until recovery, and a restart continues in journal time."""
    assert LIBRARY.exists(), "libfaketime is missing: `make .tools/libfaketime.so.1` fetches it"
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    fake = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    sidecar = SidecarProcess(tmp_path, LAX)
    sidecar.environment = os.environ | fake
    async with aiohttp.ClientSession() as session:
        with sidecar:
            await sidecar.ready(session)
            await climbed(sidecar, session)
            assert (await pay(sidecar, session, "pi_open"))[0] == 200
            offset.write_text(f"{by_s:+d}\n")
            await until(lambda: served(sidecar, session, "timer_polling"), "push is suspended")
            (seen_ms,) = jumps(sidecar.journal)
            assert abs(seen_ms - by_s * 1000) < 60_000, "the hour, and how late it was read"
            await until(lambda: served(sidecar, session, "push_with_safety_net"), "push comes back")
            settled = [line for line in sidecar.lines("payment.settled") if line["payment_intent"] == "pi_open"]
            assert [line["unmeasured"] for line in settled] in (["clock_jumped"], ["read_late"])
            assert sidecar.stop() == 0
            offset.write_text(f"{-2 * abs(by_s):+d}\n")
            sidecar.start()
            await sidecar.ready(session)
            assert sidecar.stop() == 0
    assert inspect(sidecar.journal).defects == (), "no stamp is before the one that it follows"
