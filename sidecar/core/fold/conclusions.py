"""Conclusions of the fold from one record, for listeners that log them or send notifications. Never stored."""

import msgspec

from sidecar.core.facts.observations import IgnoreReason
from sidecar.core.facts.outcomes import Outcome, Unmeasured
from sidecar.core.facts.policy import Mode, Stage
from sidecar.core.facts.suspensions import SuspensionReason


class PaymentSettled(msgspec.Struct, frozen=True, kw_only=True):
    """A payment got its final name."""

    payment_intent: str
    outcome: Outcome
    unmeasured: Unmeasured | None
    stripe_wait_s: int
    stages_ms: dict[Stage, int]
    """Milliseconds from the webhook to the first ack of each stage; negative: the ack was first."""


class PaymentLeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A payment was outside the filter, or the backend had nothing to broadcast: not an outcome."""

    payment_intent: str
    reason: str


class FilterContradicted(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that the filter left out got an ack: the filter is wrong."""

    payment_intent: str
    reason: IgnoreReason


class AlarmRaised(msgspec.Struct, frozen=True, kw_only=True):
    """An indicator became unreliable."""

    indicator: str


class AlarmEnded(msgspec.Struct, frozen=True, kw_only=True):
    """An indicator is calm again."""

    indicator: str


class EpochBegan(msgspec.Struct, frozen=True, kw_only=True):
    """An indicator collects evidence from zero."""

    indicator: str
    epoch: int


class SuspensionBegan(msgspec.Struct, frozen=True, kw_only=True):
    """Push is suspended: the flag answers timers and the rung is kept."""

    reason: SuspensionReason
    until_ms: int | None = None
    """When push resumes if no probe fails before, in Unix milliseconds; None: unknown."""


class SuspensionEnded(msgspec.Struct, frozen=True, kw_only=True):
    """Push resumes, as far as this reason is concerned."""

    reason: SuspensionReason


class IsolationBroken(msgspec.Struct, frozen=True, kw_only=True):
    """The probe user was admitted to another user's channel: any user can read any other user's payments."""


class FlagMoved(msgspec.Struct, frozen=True, kw_only=True):
    """The flag went to another rung."""

    from_rung: int
    to_rung: int
    from_mode: Mode
    to_mode: Mode
    share_ppm: int
    cause: str
    detail: str
    version: int


class ClimbIgnored(msgspec.Struct, frozen=True, kw_only=True):
    """A climb was ignored: the flag or a gate had changed since it was decided."""

    to_rung: int


class PolicyChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Another policy is in force from here on."""

    policy_hash: str
    actor: str
    reason: str
    changed: tuple[str, ...] = ()
    """The keys of the configuration by which an outcome means something else from here on."""


class PolicyRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A policy was put before the journal that cannot be accepted as things stand; the one in force stays."""

    policy_hash: str
    why: str
    """A sentence."""


Conclusion = (
    PaymentSettled
    | PaymentLeftOut
    | FilterContradicted
    | AlarmRaised
    | AlarmEnded
    | EpochBegan
    | SuspensionBegan
    | SuspensionEnded
    | IsolationBroken
    | FlagMoved
    | ClimbIgnored
    | PolicyChanged
    | PolicyRefused
)

Conclusions = list[Conclusion]
"""What one record led to, in order; the parts of the fold append to it."""
