"""The flag's answer to one user: timers, unless every condition for push is met."""

import enum
import hashlib

import msgspec

from sidecar.core.facts.policy import PPM, Mode
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold import overrides
from sidecar.core.fold.state import State


class Reason(enum.StrEnum):
    """Why the answer is what it is."""

    CURRENT_RUNG = "current_rung"
    """The mode of the current rung; this user belongs to its share."""
    BOTTOM_RUNG = "bottom_rung"
    OUTSIDE_SHARE = "outside_share"
    NO_TARGETING_KEY = "no_targeting_key"
    """The rung is for a share of the users, and the request has no targeting key."""
    ALARM = "alarm"
    SUSPENDED = "suspended"
    """Timers for a while, and the rung is kept; `Served.suspension` is the reason."""
    OVERRIDE = "override"
    """The mode that an operator chose for this user, for a test."""
    DRY_RUN = "dry_run"
    STARTING = "starting"
    """No policy yet: this process has not caught up with its journal."""
    NO_LEASE = "no_lease"
    """This replica has not lately proven that it can write and read its journal."""
    POLICY_DIFFERS = "policy_differs"
    """This replica's configuration is not the policy in force."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A mode, and why."""

    mode: Mode
    reason: Reason
    suspension: SuspensionReason | None = None
    """Why it is suspended; only with reason `suspended`."""


def served(state: State, bucket_ppm: int | None, *, override: Mode | None = None) -> Served:
    """Return the answer for a user in this bucket (see `bucket_of`; None: no targeting key), by the state alone.

    `override`: the mode that an operator chose for the user; whatever stops push for everybody
    stops it too (`core.fold.overrides`).
    """
    policy, flag = state.policy, state.flag
    if policy is None:
        return _timers(Reason.STARTING)
    if policy.dry_run:
        return _timers(Reason.DRY_RUN)
    if flag.suspension is not None:
        return _timers(Reason.SUSPENDED, SuspensionReason.REVERB_UNSTABLE)
    if any(indicator.is_latched for indicator in state.indicators.values()):
        return _timers(Reason.ALARM)
    if state.visibility.suspension is not None:
        return _timers(Reason.SUSPENDED, state.visibility.suspension)
    if override is not None and overrides.are_served(state):
        return Served(mode=override, reason=Reason.OVERRIDE)
    for rung in reversed(policy.ladder[1 : flag.rung + 1]):
        if rung.share_ppm == PPM or (bucket_ppm is not None and bucket_ppm < rung.share_ppm):
            return Served(mode=rung.mode, reason=Reason.CURRENT_RUNG)
    if flag.rung == 0:
        return _timers(Reason.BOTTOM_RUNG)
    return _timers(Reason.NO_TARGETING_KEY if bucket_ppm is None else Reason.OUTSIDE_SHARE)


def bucket_of(flag: str, targeting_key: str) -> int:
    """Return the user's bucket, from 0 to 999 999. Sticky and monotone: a larger share includes every smaller one."""
    digest = hashlib.sha256(f"{flag}:{targeting_key}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") * PPM >> 64


def _timers(reason: Reason, suspension: SuspensionReason | None = None) -> Served:
    return Served(mode=Mode.TIMER_POLLING, reason=reason, suspension=suspension)
