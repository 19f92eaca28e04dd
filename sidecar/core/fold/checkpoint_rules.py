"""Fields of the state that the rules of fold version 7 added or changed, filled in from what version 6 recorded."""

from typing import Any

import msgspec

from sidecar.core.facts.policy import Policy
from sidecar.core.fold.checkpoint_payers import with_days
from sidecar.core.fold.history import DETAIL_MAX
from sidecar.core.statistics.alarms import DEGREES_PPM, Bank
from sidecar.core.statistics.indicators import bank_of, row_of

_CHANGES = {
    7: (
        "The capital of the evidence is capped, so that old successes no longer outweigh new failures.",
        "An alarm of payments is excused only by what explains its own failures.",
        "The gates of recent failures are gone; twice the allowed failures now raise an alarm.",
        "Each payer has one vote a day, and push_only needs answers from enough payers.",
        "Wiring is proven by payments, and payments that were not seen count in coverage.",
        "Holds stand side by side, each with an id.",
    ),
    8: ("A payer's later payments of a day are votes in the alarm every 6 h, good and bad alike.",),
}


def changes_since(version: int) -> tuple[str, ...]:
    """Return what an operator should know of an upgrade from a fold version, as sentences."""
    kept = "The flag keeps its rung, evidence and epochs; the present decision rules apply from here on."
    return (kept, *(text for number, texts in _CHANGES.items() if number > version for text in texts))


def with_current_rules(content: dict[str, Any]) -> dict[str, Any]:
    """Return the state of fold version 6, as JSON, in the form of version 7."""
    return with_days(
        {
            **content,
            "flag": _flag(content),
            "indicators": _indicators(content),
            "probing": _probing(content.get("probing", {})),
            "webhooks": _webhooks(content),
        }
    )


def _with_doubt(indicator: dict[str, Any]) -> dict[str, Any]:
    """Count all that was unmeasured as doubtful, as version 6 did: the reasons were counted over all epochs only."""
    return {**indicator, "doubtful": indicator.get("unmeasured", 0)}


def _webhooks(content: dict[str, Any]) -> dict[str, Any]:
    """Return the accepted webhooks: how many there were is known, and the last one was before the checkpoint."""
    tally = content.get("tally", {})
    count = tally.get("succeeded", 0) + sum(tally.get("ignored", {}).values())
    return {"count": count, "accepted_ms": content.get("now_ms", 0) if count else 0}


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


def _indicators(content: dict[str, Any]) -> dict[str, Any]:
    """Return the indicators with the levels of the bank of version 7."""
    indicators = {name: _with_doubt(each) for name, each in content.get("indicators", {}).items()}
    if not content.get("policy"):
        return indicators
    policy = msgspec.convert(content["policy"], Policy)
    return {
        name: {**indicator, "levels": _levels(indicator, policy, bank_of(row_of(name), policy))}
        for name, indicator in indicators.items()
    }


def _probing(probing: dict[str, Any]) -> dict[str, Any]:
    """Return the probe results; sockets that are down are a disturbance that goes on."""
    down_since_ms = probing.get("down_since_ms")
    return probing if down_since_ms is None else {**probing, "disturbances_ms": [[down_since_ms, down_since_ms]]}


def _levels(indicator: dict[str, Any], policy: Policy, bank: Bank) -> list[int]:
    """Return the levels in the bank of version 7, which contains that of recent failures."""
    before: list[int] = indicator.get("levels", [])
    unacceptable_ppm = policy.unacceptable_reliability_ppm
    degrees = (unacceptable_ppm, *(degree for degree in DEGREES_PPM if degree < unacceptable_ppm))
    known = dict(zip(degrees, before, strict=False))
    recent: int = indicator.get("recent", 0)
    return [min(cusum.threshold, known.get(cusum.p1_ppm, recent)) for cusum in bank]
