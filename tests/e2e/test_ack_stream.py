"""A real process with acks from a real Redis: it climbs on them, and is suspended while Redis is down."""

from pathlib import Path

import aiohttp

from tests.e2e.processes import SidecarProcess, until
from tests.e2e.test_main_job import LAX
from tests.harm.test_disk import pay, served
from tests.shells.ack_reading import add
from tests.shells.redis_server import RedisServer


async def test_acks_from_the_stream_prove_push_and_the_streams_silence_is_a_visibility_gap(tmp_path: Path) -> None:
    """Without Redis for longer than a lease timers are served and no payment is missed; with Redis push resumes."""
    with RedisServer(tmp_path) as server:
        stream = f"  redis_stream: {{url: '{server.url}'}}"
        config = LAX.replace("acks: {stage: delivered}", f"acks:\n  stage: delivered\n{stream}").replace("6s", "3s")
        async with aiohttp.ClientSession() as session:
            with SidecarProcess(tmp_path, config) as sidecar:
                await sidecar.ready(session)
                for number in range(14):
                    assert (await pay(sidecar, session, f"pi_{number}"))[0] == 200
                    add(server, f"pi_{number}")
                await until(lambda: served(sidecar, session, "push_with_safety_net"), "push is served")
                await until(lambda: settled(sidecar, "pi_13"), "all are settled, so that one is left open alone")
                server.kill()
                assert (await pay(sidecar, session, "pi_while_away"))[0] == 200
                await until(lambda: served(sidecar, session, "timer_polling"), "push is suspended")
                assert (await sidecar.flag(session))["reason"] == "suspended"
                status = await sidecar.status(session)
                assert ([each["reason"] for each in status["suspensions"]], status["silent_sources"]) == (
                    ["source_down"],
                    ["ack_stream"],
                )
                assert any(line.startswith("No answer from ack_stream for ") for line in status["warnings"])
                server.start()
                await until(lambda: served(sidecar, session, "push_with_safety_net"), "push comes back")
                (line,) = [
                    each
                    for each in await until(lambda: settled(sidecar, "pi_while_away"), "it is settled")
                    if each["payment_intent"] == "pi_while_away"
                ]
                assert line["unmeasured"] == "cut_off"
                assert sidecar.stop() == 0


async def settled(sidecar: SidecarProcess, name: str) -> list[dict[str, object]]:
    """Return the lines of settled payments, once this one is among them."""
    lines = sidecar.lines("payment.settled")
    return lines if any(line["payment_intent"] == name for line in lines) else []
