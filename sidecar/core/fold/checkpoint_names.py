"""Names in the state that fold version 6 changed: older checkpoints are mapped when they are read."""

from typing import Any

_MODES = ["timer_polling", "push_with_safety_net", "push_only"]
"""The order of numbers by mode in states that do not contain it."""
_STATE = {"streams": "indicators", "sight": "visibility"}
_VISIBILITY = {
    "rest": "suspension",
    "unseen": "silent_sources",
    "walks_needed": "auth_probes_needed",
    "rested_from_ms": "suspended_from_ms",
}
_FLAG = {"shelter": "suspension", "shelters_ms": "suspensions_ms"}
_INDICATOR = {"accusers": "reporters"}
_PROBING = {"walk": "auth_probe", "walk_ms": "auth_probe_ms", "stranger": "isolation"}
_TALLY = {"walks": "auth_probes", "strangers": "isolation_probes"}
_HISTORY = {"marks": "events", "sheltered_since_ms": "unstable_since_ms"}
_CONDITIONS = {"sheltered": "reverb_unstable", "resting": "suspended"}
_EVENTS = {
    "act": ("action", None),
    "rest_began": ("suspension_began", None),
    "rest_ended": ("suspension_ended", None),
    "shelter_began": ("suspension_began", "reverb_unstable"),
    "shelter_ended": ("suspension_ended", "reverb_unstable"),
}
"""Kind → kind, and the detail where there was none."""


def with_current_names(content: dict[str, Any]) -> dict[str, Any]:
    """Return the state of fold version 5, as JSON, under the names of version 6."""
    content = _renamed(content, _STATE)
    content["visibility"] = _renamed(content.get("visibility", {}), _VISIBILITY)
    content["flag"] = _renamed(content.get("flag", {}), _FLAG)
    content["indicators"] = {name: _renamed(each, _INDICATOR) for name, each in content.get("indicators", {}).items()}
    content["probing"] = _probing(content.get("probing", {}))
    content["tally"] = _tally(content.get("tally", {}))
    content["moves"] = [move | {"cause": _cause(move["cause"])} for move in content.get("moves", [])]
    content["history"] = _history(content.get("history", {}))
    return content


def _renamed(content: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in content.items()}


def _probing(content: dict[str, Any]) -> dict[str, Any]:
    content = _renamed(content, _PROBING)
    if content.get("isolation") == "let_in":
        content["isolation"] = "allowed"
    return content


def _tally(content: dict[str, Any]) -> dict[str, Any]:
    content = _renamed(content, _TALLY)
    if suspensions := content.pop("shelters", 0):
        content["suspensions"] = {"reverb_unstable": suspensions}
    content["isolation_probes"] = _renamed(content.get("isolation_probes", {}), {"let_in": "allowed"})
    moves = {}
    for move, count in content.get("moves", {}).items():
        modes, _, cause = move.rpartition("/")
        moves[f"{modes}/{_cause(cause)}"] = count
    content["moves"] = moves
    return content


def _cause(cause: str) -> str:
    return "suspension" if cause == "shelter" else cause


def _history(content: dict[str, Any]) -> dict[str, Any]:
    content = _renamed(content, _HISTORY)
    content["modes"] = _MODES
    content["spans"] = [[*span[:3], _CONDITIONS.get(span[3], span[3]), *span[4:]] for span in content.get("spans", [])]
    content["events"] = [_event(*event) for event in content.get("events", [])]
    return content


def _event(at_ms: int, seq: int, kind: str, detail: str) -> list[Any]:
    new_kind, new_detail = _EVENTS.get(kind, (kind, None))
    return [at_ms, seq, new_kind, new_detail or detail]
