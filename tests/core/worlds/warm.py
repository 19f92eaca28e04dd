"""Worlds that begin on a push rung: everything was proven, honestly, within days."""

import functools

import msgspec

from sidecar.core.decision.decide import decide
from sidecar.core.facts.policy import Policy
from sidecar.core.fold.state import encode
from tests.core.world import DAY, MINUTE
from tests.core.worlds.life import Life
from tests.core.worlds.policies import LADDER, REAL
from tests.core.worlds.truth import Truth


@functools.cache
def _warm(rung: int, policy: Policy) -> tuple[bytes, int]:
    """Prove everything within days, with soaks of a minute, and climb: rung by rung."""
    ladder = tuple(msgspec.structs.replace(each, soak_ms=MINUTE) for each in LADDER)
    every_ms = MINUTE if policy.lease_ms < MINUTE else 4 * MINUTE
    life = Life(msgspec.structs.replace(policy, ladder=ladder), seed=rung, per_day=DAY / every_ms)
    life.is_regular = True
    life.payer = lambda number: f"earlier payer {rung} {number}"
    if rung == 1:
        life.begin()
    else:
        life.resume(*_warm(rung - 1, policy))
    life.run(20 * DAY, until=lambda: life.state.flag.rung == rung)
    assert life.state.flag.rung == rung, decide(life.state, "a")
    return encode(life.state), life.now_ms


def on(rung: int, policy: Policy = REAL, *, seed: int = 1, per_day: float = 40, truth: Truth | None = None) -> Life:
    """Return a world that has just climbed onto this rung, under a policy that then gets its real soaks; nobody approves."""
    body, now_ms = _warm(rung, policy)
    life = Life(policy, seed=seed, per_day=per_day)
    life.approves = False
    life.resume(body, now_ms)
    life.adopt(policy)
    life.run(5 * MINUTE)
    life.truth = truth or Truth()
    life.count_anew()
    return life
