"""Overrides of single users: the requests, their validation, and the observations that they become.

A request names the user by the id that Stripe's metadata and the targeting key contain. The journal and the status
have its keyed hash alone, and the user is not named to other operators.
"""

from collections.abc import Callable
from typing import Annotated

import msgspec

from sidecar.console.reasons import Reason
from sidecar.core.facts.calendar import stamp
from sidecar.core.facts.operator_actions import Overridden, OverrideCleared
from sidecar.core.facts.policy import Mode
from sidecar.core.fold import overrides
from sidecar.core.fold.overrides import LASTS_MAX_MS, OVERRIDES_MAX
from sidecar.core.fold.standing import Override
from sidecar.core.fold.state import State
from sidecar.ports import ErrorCode, SidecarError

User = Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{1,256}\Z")]
LASTS_MIN_MS = 1000
UserRef = Callable[[str], str]


class OverrideRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an override."""

    reason: Reason
    user: User
    """The user's id, as the targeting key has it."""
    mode: Mode
    lasts_ms: int
    """At most a day."""


class ClearRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of the end of an override."""

    reason: Reason
    user: User | None = None
    override: int | None = None
    """The id of the override; one of the two is given."""


def override_of(
    request: OverrideRequest | ClearRequest, actor: str, state: State, now_ms: int, user_ref: UserRef | None
) -> tuple[Overridden | OverrideCleared, str]:
    """Return the observation, and a message about its effect.

    Raises `SidecarError` with `conflict` if the state does not allow it, or `body_invalid`.
    """
    if user_ref is None:
        raise SidecarError(ErrorCode.CONFLICT, "overrides need SIDECAR_IDENTITY_KEY, and it is not set")
    if isinstance(request, ClearRequest):
        return _clear(request, actor, state, user_ref)
    if not LASTS_MIN_MS <= request.lasts_ms <= LASTS_MAX_MS:
        raise SidecarError(ErrorCode.BODY_INVALID, "an override lasts for 1 s to 24 h")
    reference, expires_ms = user_ref(request.user), now_ms + request.lasts_ms
    if not overrides.can_add(state, reference):
        text = f"there are {OVERRIDES_MAX} overrides, the maximum, with those of the last ten minutes"
        raise SidecarError(ErrorCode.CONFLICT, f"{text}; clear one, and wait")
    fact = Overridden(actor=actor, reason=request.reason, user_ref=reference, mode=request.mode, expires_ms=expires_ms)
    message = f"{request.mode} for the user {short(reference)} until {stamp(expires_ms)}"
    return fact, f"{message}, unless push is off for everybody; its payments and reports are no evidence"


def _clear(request: ClearRequest, actor: str, state: State, user_ref: UserRef) -> tuple[OverrideCleared, str]:
    if (request.user is None) == (request.override is None):
        raise SidecarError(ErrorCode.BODY_INVALID, "name either the `user` or the id of the `override`")
    reference = None if request.user is None else user_ref(request.user)
    standing = overrides.standing(state)
    meant = next((each for each in standing if request.override == each.id or reference == each.user_ref), None)
    if meant is None:
        known = "; ".join(described(each) for each in standing)
        raise SidecarError(ErrorCode.CONFLICT, f"there is no such override; {known or 'there are none'}")
    fact = OverrideCleared(actor=actor, reason=request.reason, override=meant.id)
    return fact, f"the override of the user {short(meant.user_ref)} is cleared; {meant.actor} set it: {meant.reason}"


def described(each: Override) -> str:
    """Return an override in one line."""
    until = f"{each.mode} for the user {short(each.user_ref)} until {stamp(each.expires_ms)}"
    return f"override {each.id} of {each.actor}, {until}: {each.reason}"


def short(user_ref: str) -> str:
    """Return the beginning of a user's reference: enough to tell two apart."""
    return user_ref[:8]
