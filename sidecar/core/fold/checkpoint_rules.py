"""Fields of the state that the rules of fold version 7 added or changed, filled in from what version 6 recorded."""

from typing import Any

from sidecar.core.fold.history import DETAIL_MAX


def with_current_rules(content: dict[str, Any]) -> dict[str, Any]:
    """Return the state of fold version 6, as JSON, in the form of version 7."""
    indicators = {name: _with_doubt(each) for name, each in content.get("indicators", {}).items()}
    return {**content, "flag": _flag(content), "indicators": indicators}


def _with_doubt(indicator: dict[str, Any]) -> dict[str, Any]:
    """Count all that was unmeasured as doubtful, as version 6 did: the reasons were counted over all epochs only."""
    return {**indicator, "doubtful": indicator.get("unmeasured", 0)}


def _flag(content: dict[str, Any]) -> dict[str, Any]:
    """Return the flag with the one hold that there was in a list, and with the ids of the hold and the freezes."""
    flag = dict(content.get("flag", {}))
    hold = flag.pop("hold", None)
    if hold is not None:
        flag["holds"] = [_hold(content, hold)]
    flag["freezes"] = [
        {**each, "id": _record_of(content, each, f"freeze {each['name']}") or each["at_ms"]}
        for each in flag.get("freezes", [])
    ]
    return flag


def _hold(content: dict[str, Any], hold: dict[str, Any]) -> dict[str, Any]:
    """Return a hold with its id, and with whether a rollback set it: where the history has forgotten it, one did."""
    held = _record_of(content, hold, "hold")
    seq = held or _record_of(content, hold, "rollback")
    return {**hold, "id": seq or hold["at_ms"], "is_rollback": held is None}


def _record_of(content: dict[str, Any], action: dict[str, Any], what: str) -> int | None:
    """Return the number of an action's record from the history; None: the history has forgotten it.

    Its stamp is then its id: any later checkpoint of version 6 gives the same.
    """
    detail = f"{what} by {action['actor']}: {action['reason']}"[:DETAIL_MAX]
    events = content.get("history", {}).get("events", [])
    wanted = [action["at_ms"], "action", detail]
    return next((seq for at_ms, seq, kind, text in reversed(events) if [at_ms, kind, text] == wanted), None)
