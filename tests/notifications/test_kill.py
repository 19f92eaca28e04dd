"""A process that is killed during delivery, and its successor."""

import os
from pathlib import Path

import aiohttp
import msgspec

from tests.e2e.processes import SidecarProcess, until
from tests.e2e.test_main_job import LAX
from tests.notifications.receiving import hang, receiving, well
from tests.notifications.sample import KEY
from tests.shells.running import event, sign

NOTIFICATIONS = "notifications: {targets: [{name: slow, kind: webhook}, {name: quick, kind: webhook}]}\n"


async def test_after_kill_9_no_event_is_sent_again_and_the_next_is_sent_to_all(tmp_path: Path) -> None:
    """The claim was durable before the first byte was sent, so neither target receives the event twice."""
    async with receiving(hang, well) as slow, receiving() as quick, aiohttp.ClientSession() as session:
        sidecar = SidecarProcess(tmp_path, LAX + NOTIFICATIONS)
        keys = {f"SIDECAR_NOTIFICATION_{name}_KEY": KEY for name in ("SLOW", "QUICK")}
        urls = {"SIDECAR_NOTIFICATION_SLOW_URL": slow.url, "SIDECAR_NOTIFICATION_QUICK_URL": quick.url}
        sidecar.environment = {**os.environ, **keys, **urls}

        async def have_received(count: int) -> bool:
            return len(slow.bodies) == len(quick.bodies) == count

        async def is_logged() -> bool:
            return [line["target"] for line in sidecar.lines("notification.sent")] == ["quick"]

        with sidecar:
            await sidecar.ready(session)
            for number in range(12):
                name = f"pi_{number}"
                assert await sidecar.ack(session, stage="delivered", payment_intent=name) == 200
                body = msgspec.json.encode(event(name, livemode=False))
                headers = {"Stripe-Signature": sign(body)}
                async with session.post(f"{sidecar.public}/stripe/webhook", data=body, headers=headers) as response:
                    assert response.status == 200
            await until(lambda: have_received(1), "both targets received the climb")
            await until(is_logged, "the delivery to the quick target is logged")
            sidecar.kill()

            sidecar.start()
            await sidecar.ready(session)
            assert sidecar.cli("rollback", "--reason", "a feeling").returncode == 0
            await until(lambda: have_received(2), "both targets received the fall, and nothing else")
            assert sidecar.stop() == 0
        assert [body["kind"] for body in slow.bodies] == ["climbed", "fell"]
        assert [body["kind"] for body in quick.bodies] == ["climbed", "fell"]
        sent = [(line["target"], line["notification"]) for line in sidecar.lines("notification.sent")]
        assert sorted(sent) == [("quick", "climbed"), ("quick", "fell"), ("slow", "fell")]
        assert "in-the-url" not in sidecar.log.read_text()
