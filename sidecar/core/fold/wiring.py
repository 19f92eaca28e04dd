"""Do acks of a stage arrive, and do they name their payments? Payments prove it, never an ack alone.

The problem: a single ack sent by hand, in a test of the endpoint, looks like the first ack of a working backend. Taken
for one, every payment until the backend really sends acks is a miss; and if it names a payment, every payment that gets
only nameless acks, for ever.

What we do: an ack proves something once the webhook of its payment came too, in either order. Where acks were exact and
20 payments in a row got only nameless ones, they no longer are.
"""

from sidecar.core.facts.observations import USER_CHANNEL, AckReceived
from sidecar.core.facts.policy import Policy, Stage
from sidecar.core.fold import ladder
from sidecar.core.fold.conclusions import Conclusions
from sidecar.core.fold.journey import Journey
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import PAYMENTS

NAMELESS_MAX = 20
"""Payments in a row with only nameless acks after which matching is inferred again."""


def matched_by_name(state: State, policy: Policy, journey: Journey, stage: Stage, out: Conclusions) -> None:
    """Note that an ack that names its payment and the webhook of this payment are both there."""
    state.first_ack_ms.setdefault(stage, state.now_ms)
    is_deciding = stage is policy.stage
    if is_deciding and journey.is_of_all:
        state.probing.tells_of_all = True
    if is_deciding:
        state.nameless_count = 0
    if stage not in state.first_named_ack_ms:
        state.first_named_ack_ms[stage] = state.now_ms
        if is_deciding:
            ladder.outgrow(state, PAYMENTS, out)


def matched_by_user(state: State, policy: Policy, fact: AckReceived) -> None:
    """Note that an ack that names only a user came while a payment of this user was open."""
    state.first_ack_ms.setdefault(fact.stage, state.now_ms)
    if fact.stage is policy.stage and fact.source != USER_CHANNEL:
        state.probing.tells_of_all = True


def closed(state: State, policy: Policy, journey: Journey, out: Conclusions) -> None:
    """Count a payment at its end that got only nameless acks; after enough of them in a row, infer again.

    Payments without any ack say nothing about names.
    """
    if not state.is_exact or policy.stage in journey.acks or journey.inferred_ms is None:
        return
    state.nameless_count += 1
    if state.nameless_count >= NAMELESS_MAX:
        state.nameless_count = 0
        del state.first_named_ack_ms[policy.stage]
        state.flag.guard_version += 1  # the gate `exact` closes
        ladder.outgrow(state, PAYMENTS, out)
