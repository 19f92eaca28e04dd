"""A process that is frozen for longer than its lease, and one that is frozen for a moment."""

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.processes import SidecarProcess, until
from tests.e2e.test_main_job import LAX
from tests.harm.test_disk import climbed, pay, served

LEASE_S = 3.0
SHORT = LAX.replace("lease: 6s", "lease: 3s")


@pytest.mark.parametrize("frozen_s", [LEASE_S + 0.5, 0.3])
async def test_after_a_freeze_no_earlier_push_is_served(tmp_path: Path, frozen_s: float) -> None:
    """After a freeze longer than the lease timers are served and open payments are unmeasured; a short one changes nothing."""
    is_long = frozen_s > LEASE_S
    async with aiohttp.ClientSession() as session:
        with SidecarProcess(tmp_path, SHORT) as sidecar:
            await sidecar.ready(session)
            await climbed(sidecar, session)
            assert (await pay(sidecar, session, "pi_frozen"))[0] == 200
            await sidecar.ack(session, stage="delivered", payment_intent="pi_frozen")
            assert sidecar.process is not None
            sidecar.process.send_signal(signal.SIGSTOP)
            asked = [asyncio.create_task(sidecar.flag(session)) for _ in range(20)]
            await asyncio.sleep(frozen_s)
            sidecar.process.send_signal(signal.SIGCONT)
            modes = {(await each)["mode"] for each in asked}
            assert modes == {"timer_polling" if is_long else "push_with_safety_net"}
            await until(lambda: served(sidecar, session, "push_with_safety_net"), "push comes back")

            async def is_settled() -> bool:
                return any(line["payment_intent"] == "pi_frozen" for line in sidecar.lines("payment.settled"))

            await until(is_settled, "the payment is settled")
            (line,) = [each for each in sidecar.lines("payment.settled") if each["payment_intent"] == "pi_frozen"]
            assert line["unmeasured"] == ("cut_off" if is_long else None)
            assert sidecar.stop() == 0
