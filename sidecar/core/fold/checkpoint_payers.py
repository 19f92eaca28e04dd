"""What fold version 7 makes of the users of version 6: the last answer decides, and votes are by the day.

Version 6 counted votes at once, so no day is open. Its payments on their way are decided, and do not count in payer
coverage: of those whose report it had received it does not know the payment any more.
"""

from typing import Any

_AFTER_MS, _KEPT_MS = 600_000, 4_200_000
"""As in version 6."""


def with_days(content: dict[str, Any]) -> dict[str, Any]:
    """Return the state of fold version 6, as JSON, with the users of version 7."""
    paid: dict[str, dict[str, Any]] = {}
    users: dict[str, dict[str, Any]] = {}
    now_ms = content.get("now_ms", 0)
    for user_ref, user in content.get("payers", {}).items():
        due_ms = max(now_ms, user["seen_ms"] + _KEPT_MS)
        users[user_ref] = {
            "seen_ms": user["seen_ms"],
            "due_ms": due_ms,
            "early": user.get("early", {}),
            **_answer(user),
        }
        for payment, at_ms in user.get("awaited", {}).items():
            if at_ms + _AFTER_MS > now_ms:
                paid[payment] = {"user_ref": user_ref, "at_ms": at_ms, "is_covered": False}
    agenda = [[entry["at_ms"] + _AFTER_MS, "decide", payment] for payment, entry in paid.items()]
    agenda += [[user["due_ms"], "payer", user_ref] for user_ref, user in users.items()]
    indicators = {name: _reporters(indicator) for name, indicator in content.get("indicators", {}).items()}
    return content | {"payers": users, "paid": paid, "payer_agenda": sorted(agenda), "indicators": indicators}


def _answer(user: dict[str, Any]) -> dict[str, Any]:
    ok_ms, refused_ms = user.get("ok_ms"), user.get("refused_ms")
    times = [at_ms for at_ms in (ok_ms, refused_ms) if at_ms is not None]
    return {"answered_ms": max(times), "is_ok": ok_ms == max(times)} if times else {}


def _reporters(indicator: dict[str, Any]) -> dict[str, Any]:
    return indicator | {"reporters": dict.fromkeys(indicator.get("reporters", {}), 1)}
