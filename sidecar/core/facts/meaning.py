"""The settings that define what an outcome means: which payments are judged, by which acks, and over which Reverb.

The problem: a proof belongs to what it was measured on. Kept across another filter, stage or Reverb, it would serve
push on evidence of something else.

What we do: each such setting is a row. Where one changes, every indicator begins a new epoch and the flag moves to the
bottom rung. Earlier versions did not record all of them; such a value is None, counts as unchanged, and is carried over
from the policy before, so that an older version in between does not release the journal.
"""

from collections.abc import Callable

import msgspec

from sidecar.core.facts.policy import Policy, ReverbTarget, StripePolicy

_Read = Callable[[Policy], object]


def _stripe(read: Callable[[StripePolicy], object]) -> _Read:
    return lambda policy: None if policy.stripe is None else read(policy.stripe)


def _target(read: Callable[[ReverbTarget], object]) -> _Read:
    return lambda policy: None if policy.reverb is None or policy.reverb.target is None else read(policy.reverb.target)


_ROWS: tuple[tuple[str, _Read], ...] = (
    ("flag", lambda policy: policy.flag),
    ("acks.stage", lambda policy: policy.stage),
    ("acks.contexts", lambda policy: sorted(policy.contexts)),
    ("acks.event", lambda policy: None if policy.reverb is None else policy.reverb.event),
    ("objective.on_time_within", lambda policy: policy.on_time_within_ms),
    ("policy.payer_day", lambda policy: policy.payer_day_ms),
    ("stripe.required_metadata", _stripe(lambda stripe: sorted(stripe.required_metadata))),
    ("stripe.user_key", _stripe(lambda stripe: stripe.user_key or "")),
    ("reverb.observers", lambda policy: policy.reverb is not None and policy.reverb.is_observing),
    ("reverb.url", _target(lambda target: target.url)),
    ("reverb.app_id", _target(lambda target: target.app_id)),
    ("reverb.app_key", _target(lambda target: target.app_key)),
    ("reverb.auth_endpoint", _target(lambda target: target.auth_endpoint)),
    ("reverb.channel", _target(lambda target: target.channel)),
    ("reverb.observer_channel", _target(lambda target: target.observer_channel)),
)
"""The key in the configuration → its value; None: not recorded, or there is none to compare with."""


def changed_keys(before: Policy, after: Policy) -> tuple[str, ...]:
    """Return the keys, as the configuration names them, by which an outcome means something else from here on."""
    values = ((key, read(before), read(after)) for key, read in _ROWS)
    return tuple(key for key, old, new in values if old is not None and new is not None and old != new)


def carried(policy: Policy, before: Policy) -> Policy:
    """Return the policy, with what it does not record taken from the one before."""
    reverb = policy.reverb
    if reverb is not None and before.reverb is not None:
        old = before.reverb
        reverb = msgspec.structs.replace(reverb, target=reverb.target or old.target, event=reverb.event or old.event)
    return msgspec.structs.replace(policy, stripe=policy.stripe or before.stripe, reverb=reverb)


def why_not_here(bound: Policy | None, policy: Policy) -> str | None:
    """Return, in a sentence, why a policy does not belong to the journal of the policy `bound`; None: it does.

    A journal belongs to one environment, and to live payments or to test payments.
    """
    if bound is None:
        return None
    found = [] if policy.environment == bound.environment else [("environment", bound.environment, policy.environment)]
    if policy.stripe and bound.stripe and policy.stripe.livemode != bound.stripe.livemode:
        found.append(("stripe.livemode", _word(is_on=bound.stripe.livemode), _word(is_on=policy.stripe.livemode)))
    if not found:
        return None
    belongs = " and ".join(f"`{key}: {old}`" for key, old, _ in found)
    has = " and ".join(f"`{key}: {new}`" for key, _, new in found)
    return (
        f"The journal belongs to {belongs}, and this configuration has {has}: evidence of the one proves nothing about "
        "the other. Give this configuration a journal of its own (another path in `journal`), or restore the setting."
    )


def _word(*, is_on: bool) -> str:
    return "true" if is_on else "false"
