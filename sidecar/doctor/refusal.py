"""Which of its many reasons did Laravel refuse a channel for? With APP_DEBUG it tells whoever asks for JSON."""

import asyncio
from typing import Any

import msgspec

from sidecar.core.facts.auth_probes import Step
from sidecar.probes.browser import Browser
from sidecar.probes.connection_errors import FAILURES
from sidecar.probes.probe_record import ProbeRecord

_WITHIN_S = 5.0
_SOCKET = "1234.5678"


async def what_debug_says(browser: Browser, channel: str) -> str | None:
    """Ask once more, for JSON, and return what a 403 of Laravel's says of itself; None: nothing."""
    headers, body = browser.auth_request(_SOCKET, channel)
    headers |= {"Accept": "application/json", "X-Requested-With": "XMLHttpRequest"}
    if browser.target.sends_cookies:
        headers |= browser.cookies(browser.target.auth_endpoint)
    try:
        async with asyncio.timeout(_WITHIN_S):
            answer = await browser.ask(
                ProbeRecord(), Step.AUTHORISE, "POST", browser.target.auth_endpoint, headers, body
            )
    except (TimeoutError, *FAILURES):
        return None
    if answer.status == 401:  # noqa: PLR2004 - the point of asking for JSON
        return "Asked for JSON, the app says 401: nobody is logged in for this route."
    return reason_in(answer.body)


def reason_in(body: bytes) -> str | None:
    """Return what a 403's JSON says of its reason; None: nothing."""
    try:
        content: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    file, trace = str(content.get("file", "")), content.get("trace")
    thrower = trace[0].get("function") if isinstance(trace, list) and trace and isinstance(trace[0], dict) else ""
    if file.endswith("PusherBroadcaster.php"):
        return "APP_DEBUG tells: nobody is logged in for the guard of this route (PusherBroadcaster)."
    if thrower == "resolveImplicitBindingIfPossible":
        return "APP_DEBUG tells: a model in the channel's name was not found (implicit binding)."
    if thrower == "verifyUserCanAccessChannel":
        return "APP_DEBUG tells: the user is known; the callback said no, or no registered channel has such a name."
    message = content.get("message")
    if isinstance(message, str) and message.isprintable() and 0 < len(message) <= 200:  # noqa: PLR2004
        return f"The app's own words: {message!r}, so a callback or a policy refused by itself (abort or Gate)."
    return None
