"""Find Laravel's reason for a 403: with APP_DEBUG it is in the JSON error page."""

import asyncio
from typing import Any

import msgspec

from sidecar.core.facts.auth_probes import Step
from sidecar.probes.browser import Browser
from sidecar.probes.connection_errors import FAILURES
from sidecar.probes.probe_record import ProbeRecord

_WITHIN_S = 5.0
_SOCKET = "1234.5678"


async def debug_reason(browser: Browser, channel: str) -> str | None:
    """Send the request again for JSON, and return the reason in the 403; None if there is none."""
    headers, body = browser.auth_request(_SOCKET, channel)
    headers |= {"Accept": "application/json", "X-Requested-With": "XMLHttpRequest"}
    if browser.target.sends_cookies:
        headers |= browser.cookies(browser.target.auth_endpoint)
    try:
        async with asyncio.timeout(_WITHIN_S):
            answer = await browser.request(
                ProbeRecord(), Step.AUTHORISE, "POST", browser.target.auth_endpoint, headers, body
            )
    except (TimeoutError, *FAILURES):
        return None
    if answer.status == 401:  # noqa: PLR2004 - the status of a guest in JSON
        return "With `Accept: application/json` the app answers 401: no user is logged in for this route."
    return reason_in(answer.body)


def reason_in(body: bytes) -> str | None:
    """Return the reason in a 403's JSON; None if there is none."""
    try:
        content: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    file, trace = str(content.get("file", "")), content.get("trace")
    thrower = trace[0].get("function") if isinstance(trace, list) and trace and isinstance(trace[0], dict) else ""
    if file.endswith("PusherBroadcaster.php"):
        return "APP_DEBUG shows: no user is logged in for the guard of this route (PusherBroadcaster)."
    if thrower == "resolveImplicitBindingIfPossible":
        return "APP_DEBUG shows: a model in the channel's name was not found (implicit binding)."
    if thrower == "verifyUserCanAccessChannel":
        return "APP_DEBUG shows: a user is logged in; the callback returned false, or no channel matches the name."
    message = content.get("message")
    if isinstance(message, str) and message.isprintable() and 0 < len(message) <= 200:  # noqa: PLR2004
        return f"The app's message is {message!r}, so a callback or a policy refused (abort or Gate)."
    return None
