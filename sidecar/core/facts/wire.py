"""Observations as JSON: `decode` also reads those that earlier versions wrote, under the names of that time.

The journal is older than the code. Its records are never rewritten, because the chain of hashes is made of their bytes.
So a name that changed is mapped when it is read. The current format is tried first: a record of it costs nothing more.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from sidecar.core.facts.observations import Observation

_decode = msgspec.json.Decoder[Observation](Observation).decode

GATES = {"rest": "suspension", "stranger": "isolation"}
"""Names of gates, as decisions of fold version 5 and earlier recorded them."""


def decode(body: bytes) -> Observation:
    """Return the observation. Raises one of `observations.UNREADABLE` for anything else."""
    try:
        observation: Observation = _decode(body)
    except msgspec.ValidationError:
        content = msgspec.json.decode(body)
        upgrade = _UPGRADES.get(str(content.get("type"))) if isinstance(content, dict) else None
        if upgrade is None:
            raise
        observation = msgspec.convert(upgrade(dict(content)), Observation)
    return observation


def _renamed(tag: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda content: content | {"type": tag}


def _isolation_probed(content: dict[str, Any]) -> dict[str, Any]:
    verdict = "allowed" if content.get("verdict") == "let_in" else content.get("verdict")
    return content | {"type": "isolation_probed", "verdict": verdict}


def _fell(content: dict[str, Any]) -> dict[str, Any]:
    return content | {"cause": "suspension" if content.get("cause") == "shelter" else content.get("cause")}


def _epoch_renewed(content: dict[str, Any]) -> dict[str, Any]:
    return content | {"indicator": content.pop("stream", content.get("indicator"))}


def _climbed(content: dict[str, Any]) -> dict[str, Any]:
    gates = content.get("gates")
    if not isinstance(gates, list) or not all(isinstance(gate, dict) for gate in gates):
        return content
    return content | {
        "gates": [
            gate | {"name": GATES.get(gate.get("name"), gate.get("name")), "passes": gate.get("holds")}
            for gate in gates
        ]
    }


_UPGRADES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "ack_seen": _renamed("ack_received"),
    "user_auth_seen": _renamed("user_auth_reported"),
    "notice_claimed": _renamed("notification_claimed"),
    "stranger_probed": _isolation_probed,
    "fell": _fell,
    "epoch_renewed": _epoch_renewed,
    "climbed": _climbed,
}
"""Tag of an earlier version → the same content under the names of this one."""
