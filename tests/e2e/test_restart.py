"""A process that is killed and restarted: no acknowledged event is lost, and no unobserved payment is counted."""

from pathlib import Path

import aiohttp
import msgspec

from tests.e2e.processes import SidecarProcess, until
from tests.e2e.test_main_job import LAX
from tests.shells.running import event, sign


async def _pay(sidecar: SidecarProcess, session: aiohttp.ClientSession, name: str) -> int:
    body = msgspec.json.encode(event(name, livemode=False))
    headers = {"Stripe-Signature": sign(body)}
    async with session.post(f"{sidecar.public}/stripe/webhook", data=body, headers=headers) as response:
        return response.status


async def test_after_kill_9_the_rung_stands_and_open_payments_are_left_out(tmp_path: Path) -> None:
    """The flag continues on its rung after one heartbeat, and payments of the gap are unmeasured."""
    sidecar = SidecarProcess(tmp_path, LAX)
    async with aiohttp.ClientSession() as session:
        with sidecar:
            await sidecar.ready(session)
            for number in range(12):
                name = f"pi_{number}"
                assert await sidecar.ack(session, stage="delivered", payment_intent=name) == 200
                assert await _pay(sidecar, session, name) == 200

            async def is_climbed() -> bool:
                return bool((await sidecar.flag(session))["mode"] == "push_with_safety_net")

            async def are_settled() -> bool:
                return len(sidecar.lines("payment.settled")) == 12

            await until(is_climbed, "push is served")
            await until(are_settled, "all are settled")
            before = await sidecar.status(session)
            assert await _pay(sidecar, session, "pi_open") == 200
            sidecar.kill()

            sidecar.start()
            await sidecar.ready(session)
            await until(is_climbed, "push is served again")
            after = await sidecar.status(session)
        assert (after["rung"], after["version"]) == (before["rung"], before["version"])
        assert after["indicators"][0]["good"] == before["indicators"][0]["good"]
        assert after["unmeasured"] == {"stopped": 1}
        assert [line["unmeasured"] for line in sidecar.lines("payment.settled")][-1] == "stopped"
