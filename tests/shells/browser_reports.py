"""What a payer's browser sends, as the page's client makes it."""

from typing import Any

import jwt
import msgspec

from sidecar import clock
from sidecar.tokens import key_id
from tests.shells.running import Running

SECRET = "browser-secret-for-the-tests-0123456789"
REPORT = {
    "payment_intent": "pi_1",
    "flow": "in_page",
    "mode": "timer_polling",
    "version": 0,
    "subscription": "confirmed",
    "subscribed_after_ms": 200,
    "pushed_after_ms": 900,
    "cleared_after_ms": 1000,
    "cleared_by": "push",
    "refetches": 2,
    "watched_ms": 30_000,
}


def token(user_id: object = "7", *, lasts_s: float = 600, secret: str = SECRET, kid: str = "", **claims: Any) -> str:
    """Return a token as the app signs it; a claim that is None is left out."""
    now_s = int(clock.wall_ms() / 1000)
    content = {"sub": user_id, "aud": "reverb-sidecar", "iat": now_s, "exp": int(now_s + lasts_s), **claims}
    content = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(content, secret, algorithm="HS256", headers={"kid": kid or key_id(secret)})


async def send(sidecar: Running, report: object, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Send a beacon; return status, body and headers."""
    body = report if isinstance(report, bytes) else msgspec.json.encode(report)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with sidecar.session.post(
        f"{sidecar.urls.public}/acks", data=body, headers={"Content-Type": "text/plain;charset=UTF-8", **named}
    ) as response:
        return response.status, await response.read(), dict(response.headers)
