"""Operator actions: the request of each, its validation against the state, and the observation that it becomes."""

import enum
from typing import Annotated, assert_never

import msgspec

from sidecar.core.facts.calendar import stamp
from sidecar.core.facts.observations import (
    UNREADABLE,
    Approved,
    EvidenceReset,
    Frozen,
    Held,
    Noted,
    Resumed,
    RolledBack,
    Thawed,
)
from sidecar.core.facts.observations import OperatorAction as ActionFact
from sidecar.core.facts.windows import DAY_MINUTES, OFFSET_MAX_MINUTES, WEEK_MINUTES, Once, Weekly
from sidecar.core.fold.freezes import FREEZES_MAX, LASTS_MAX_MS
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import PAYMENTS
from sidecar.ports import ErrorCode, SidecarError


class OperatorAction(enum.StrEnum):
    """An operator action."""

    HOLD = "hold"
    RESUME = "resume"
    APPROVE = "approve"
    ROLLBACK = "rollback"
    RESET = "reset"
    NOTE = "note"
    FREEZE = "freeze"
    THAW = "thaw"


_PLAIN = r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
"""No control characters but tabs and line feeds, and no bidirectional overrides: the text is shown on other people's
terminals and pages."""
Reason = Annotated[str, msgspec.Meta(max_length=500, pattern=rf"\A{_PLAIN}*(?=\S){_PLAIN}+\Z")]
Release = Annotated[str, msgspec.Meta(max_length=100, pattern=r"\A[!-~]+\Z")]
Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z")]


class ActionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of every other action."""

    reason: Reason


class ApproveRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an approval."""

    reason: Reason
    rung: int | None = None
    epoch: int | None = None
    """What the operator saw; None: what is next. Any other value is a conflict: the flag has moved meanwhile."""


class NoteRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a note."""

    reason: Reason
    release: Release | None = None
    """What was released; None: the note is not about a release."""


class FreezeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a freeze."""

    reason: Reason
    name: Name
    window: Once | Weekly
    """`{"type": "once", "from_ms", "until_ms"}`, or `{"type": "weekly", "days", "from_minute", "lasts_minutes",
    "utc_offset_minutes"}` with 0 for Monday."""
    expires_ms: int | None = None
    """When it expires, in Unix milliseconds; None: at the end of a window of type `once`."""


class ThawRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a thaw."""

    reason: Reason
    name: Name


class ActionDone(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an action."""

    action: OperatorAction
    actor: str
    seq: int
    """Its record in the journal."""
    message: str


Request = ActionRequest | ApproveRequest | NoteRequest | FreezeRequest | ThawRequest

_TYPES: dict[OperatorAction, type[Request]] = {
    OperatorAction.APPROVE: ApproveRequest,
    OperatorAction.NOTE: NoteRequest,
    OperatorAction.FREEZE: FreezeRequest,
    OperatorAction.THAW: ThawRequest,
}
_REASON = '"reason": "why", of 1 to 500 characters'
_SHAPES = {
    OperatorAction.APPROVE: f'{{{_REASON}, "rung": 3 or null, "epoch": 1 or null}}',
    OperatorAction.NOTE: f'{{{_REASON}, "release": "2027.1" or null}}',
    OperatorAction.FREEZE: f'{{{_REASON}, "name": "term-start", '
    f'"window": {{"type": "once", "from_ms", "until_ms"}} or {{"type": '
    '"weekly", "days": [4], "from_minute", "lasts_minutes", "utc_offset_minutes"}, "expires_ms"}',
    OperatorAction.THAW: f'{{{_REASON}, "name": "term-start"}}',
}


def read_request(action: OperatorAction, body: bytes) -> Request:
    """Parse the body. Raises `SidecarError` with `body_invalid`."""
    try:
        return msgspec.json.decode(body, type=_TYPES.get(action, ActionRequest))
    except UNREADABLE as error:
        message = f"send JSON {_SHAPES.get(action, f'{{{_REASON}}}')}"
        raise SidecarError(ErrorCode.BODY_INVALID, message) from error


def fact_of(action: OperatorAction, request: Request, actor: str, state: State, now_ms: int) -> tuple[ActionFact, str]:
    """Return the observation, and a message about its effect.

    Raises `SidecarError` with `conflict` if the state does not allow it, or `body_invalid`.
    """
    reason = request.reason
    match action:
        case OperatorAction.HOLD:
            return Held(actor=actor, reason=reason), "nothing climbs until `sidecar resume`; falling stays possible"
        case OperatorAction.RESUME:
            if state.flag.hold is None:
                raise SidecarError(ErrorCode.CONFLICT, "there is no hold to lift")
            return Resumed(actor=actor, reason=reason), "the hold is lifted"
        case OperatorAction.APPROVE:
            assert isinstance(request, ApproveRequest)  # noqa: S101 - as `read_request` read it
            return _approval(request, state, actor)
        case OperatorAction.ROLLBACK:
            return RolledBack(actor=actor, reason=reason), "timers for everybody; it holds until `sidecar resume`"
        case OperatorAction.RESET:
            message = "a new epoch begins in every indicator, with less of the false promotion risk left to spend"
            return EvidenceReset(actor=actor, reason=reason), message
        case OperatorAction.NOTE:
            assert isinstance(request, NoteRequest)  # noqa: S101 - as `read_request` read it
            message = "noted" if request.release is None else f"the release {request.release} is noted"
            return Noted(actor=actor, text=reason, release=request.release), message
        case OperatorAction.FREEZE:
            assert isinstance(request, FreezeRequest)  # noqa: S101
            return _freeze(request, actor, state, now_ms)
        case OperatorAction.THAW:
            assert isinstance(request, ThawRequest)  # noqa: S101
            return _thaw(request, actor, state)
        case _:
            assert_never(action)


def _approval(request: ApproveRequest, state: State, actor: str) -> tuple[ActionFact, str]:
    rung, to_rung = state.next_rung, state.flag.rung + 1
    if rung is None:
        raise SidecarError(ErrorCode.CONFLICT, "the flag is at the top of the ladder; there is nothing to approve")
    if not rung.approval_required:
        raise SidecarError(ErrorCode.CONFLICT, f"rung {to_rung} ({rung.mode}) needs no approval")
    epoch = state.indicators[PAYMENTS].epoch
    if request.rung not in {None, to_rung} or request.epoch not in {None, epoch}:
        raise SidecarError(
            ErrorCode.CONFLICT,
            f"the flag has moved meanwhile: rung {to_rung} in epoch {epoch} is next, not "
            f"{_seen(request.rung, request.epoch)}",
        )
    message = f"rung {to_rung} ({rung.mode}) is approved for epoch {epoch}, once, for 7 days, or until a fall"
    return Approved(actor=actor, reason=request.reason, rung=to_rung, epoch=epoch), message


def _seen(rung: int | None, epoch: int | None) -> str:
    """Return what the operator saw as text; at least one of the two is given."""
    seen = (f"rung {rung}" if rung is not None else "", f"epoch {epoch}" if epoch is not None else "")
    return " in ".join(each for each in seen if each)


def _freeze(request: FreezeRequest, actor: str, state: State, now_ms: int) -> tuple[ActionFact, str]:
    fault = _fault(request, now_ms)
    if fault is not None:
        raise SidecarError(ErrorCode.BODY_INVALID, fault)
    if sum(each.name != request.name for each in state.flag.freezes) >= FREEZES_MAX:
        raise SidecarError(ErrorCode.CONFLICT, f"there are {FREEZES_MAX} freezes, the maximum; thaw one first")
    window = request.window
    expires_ms = request.expires_ms or 0
    if isinstance(window, Once):
        expires_ms = min(window.until_ms, request.expires_ms or window.until_ms)
    fact = Frozen(actor=actor, reason=request.reason, name=request.name, window=window, expires_ms=expires_ms)
    message = f"{request.name} forbids climbing in its windows until {stamp(expires_ms)}; falling stays possible"
    return fact, message


def _fault(request: FreezeRequest, now_ms: int) -> str | None:
    """Return what is invalid about a freeze; None: nothing."""
    window, expires_ms = request.window, request.expires_ms
    if isinstance(window, Once):
        if window.from_ms >= window.until_ms:
            return "the window must end after it begins"
        if window.from_ms < now_ms - LASTS_MAX_MS:
            return "the window began more than 400 days ago"
        expires_ms = window.until_ms if expires_ms is None else min(expires_ms, window.until_ms)
    else:
        if not window.days or len(set(window.days)) < len(window.days) or not set(window.days) <= set(range(7)):
            return "`days` lists the days on which it begins, each once: 0 for Monday to 6 for Sunday"
        if not 0 <= window.from_minute < DAY_MINUTES:
            return f"`from_minute` is in minutes after midnight, from 0 to {DAY_MINUTES - 1}"
        if not 1 <= window.lasts_minutes <= WEEK_MINUTES:
            return f"`lasts_minutes` is from 1 to {WEEK_MINUTES}, a week"
        if abs(window.utc_offset_minutes) > OFFSET_MAX_MINUTES:
            return f"`utc_offset_minutes` is from -{OFFSET_MAX_MINUTES} to {OFFSET_MAX_MINUTES}, ahead of UTC"
        if expires_ms is None:
            return "a weekly freeze needs `expires_ms`: its end, in Unix milliseconds"
    if not now_ms < expires_ms <= now_ms + LASTS_MAX_MS:
        return f"a freeze ends after now ({stamp(now_ms)}), and within 400 days ({stamp(now_ms + LASTS_MAX_MS)})"
    return None


def _thaw(request: ThawRequest, actor: str, state: State) -> tuple[ActionFact, str]:
    names = [each.name for each in state.flag.freezes]
    if request.name not in names:
        known = f"existing: {', '.join(names)}" if names else "there are none"
        raise SidecarError(ErrorCode.CONFLICT, f"unknown freeze; {known}")
    return Thawed(actor=actor, reason=request.reason, name=request.name), f"{request.name} is thawed"
