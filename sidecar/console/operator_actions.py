"""Operator actions: the request of each, its validation against the state, and the observation that it becomes."""

import enum
from typing import Annotated, assert_never

import msgspec

from sidecar.console.overrides import ClearRequest, OverrideRequest, UserRef, override_of
from sidecar.console.reasons import Reason
from sidecar.core.facts.calendar import stamp
from sidecar.core.facts.observations import UNREADABLE
from sidecar.core.facts.operator_actions import (
    Approved,
    EvidenceReset,
    Frozen,
    Held,
    Noted,
    Overridden,
    OverrideCleared,
    Resumed,
    RolledBack,
    Thawed,
)
from sidecar.core.facts.operator_actions import OperatorAction as ActionFact
from sidecar.core.facts.windows import DAY_MINUTES, OFFSET_MAX_MINUTES, WEEK_MINUTES, Once, Replaced, Weekly
from sidecar.core.fold import holds
from sidecar.core.fold.freezes import FREEZES_MAX, LASTS_MAX_MS
from sidecar.core.fold.holds import HOLDS_MAX
from sidecar.core.fold.ladder import APPROVAL_LASTS_MS
from sidecar.core.fold.standing import Freeze
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import PAYMENTS
from sidecar.ports import Appended, ErrorCode, SidecarError


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
    OVERRIDE = "override"
    CLEAR_OVERRIDE = "clear_override"


Release = Annotated[str, msgspec.Meta(max_length=100, pattern=r"\A[!-~]+\Z")]
Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z")]


class ActionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of every other action."""

    reason: Reason


class ResumeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a resume."""

    reason: Reason
    hold: int | None = None
    """The id of the hold to lift; None: the only one, which must not be that of a rollback."""


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
    begins_now: bool = False
    """Whether a window of type `once` begins at once, by the journal's clock, whatever its `from_ms`."""
    replace: bool = False
    """Whether it may replace a freeze of the same name; otherwise that is a conflict."""


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


Request = (
    ActionRequest
    | ResumeRequest
    | ApproveRequest
    | NoteRequest
    | FreezeRequest
    | ThawRequest
    | OverrideRequest
    | ClearRequest
)

_TYPES: dict[OperatorAction, type[Request]] = {
    OperatorAction.RESUME: ResumeRequest,
    OperatorAction.APPROVE: ApproveRequest,
    OperatorAction.NOTE: NoteRequest,
    OperatorAction.FREEZE: FreezeRequest,
    OperatorAction.THAW: ThawRequest,
    OperatorAction.OVERRIDE: OverrideRequest,
    OperatorAction.CLEAR_OVERRIDE: ClearRequest,
}
_REASON = '"reason": "why", of 1 to 500 characters, with a letter or a digit among them'
_SHAPES = {
    OperatorAction.RESUME: f'{{{_REASON}, "hold": 12 or null}}',
    OperatorAction.APPROVE: f'{{{_REASON}, "rung": 3 or null, "epoch": 1 or null}}',
    OperatorAction.NOTE: f'{{{_REASON}, "release": "2027.1" or null}}',
    OperatorAction.FREEZE: f'{{{_REASON}, "name": "term-start", '
    f'"window": {{"type": "once", "from_ms", "until_ms"}} or {{"type": '
    '"weekly", "days": [4], "from_minute", "lasts_minutes", "utc_offset_minutes"}, "expires_ms", "replace": false}',
    OperatorAction.THAW: f'{{{_REASON}, "name": "term-start"}}',
    OperatorAction.OVERRIDE: f'{{{_REASON}, "user": "7", "mode": "push_only", "lasts_ms": 3600000}}',
    OperatorAction.CLEAR_OVERRIDE: f'{{{_REASON}, "user": "7"}} or {{{_REASON}, "override": 12}}',
}


def read_request(action: OperatorAction, body: bytes) -> Request:
    """Parse the body. Raises `SidecarError` with `body_invalid`."""
    try:
        return msgspec.json.decode(body, type=_TYPES.get(action, ActionRequest))
    except UNREADABLE as error:
        message = f"send JSON {_SHAPES.get(action, f'{{{_REASON}}}')}"
        raise SidecarError(ErrorCode.BODY_INVALID, message) from error


def fact_of(  # noqa: C901 - a table
    action: OperatorAction,
    request: Request,
    actor: str,
    state: State,
    now_ms: int,
    user_ref: UserRef | None = None,
) -> tuple[ActionFact, str]:
    """Return the observation, and a message about its effect, in which `{seq}` stands for the number of its record.

    Raises `SidecarError` with `conflict` if the state does not allow it, or `body_invalid`.
    """
    reason = request.reason
    match action:
        case OperatorAction.HOLD:
            _require_free_hold(state, is_rollback=False)
            message = "nothing climbs until `sidecar resume --hold {seq} --reason '...'`; falling stays possible"
            return Held(actor=actor, reason=reason), message
        case OperatorAction.RESUME:
            assert isinstance(request, ResumeRequest)  # noqa: S101 - as `read_request` read it
            return _resume(request, state, actor)
        case OperatorAction.APPROVE:
            assert isinstance(request, ApproveRequest)  # noqa: S101 - as `read_request` read it
            return _approval(request, state, actor)
        case OperatorAction.ROLLBACK:
            if state.flag.rung == 0:
                _require_free_hold(state, is_rollback=True)
            message = "timers for everybody; it holds until `sidecar resume --hold {seq} --reason '...'`"
            return RolledBack(actor=actor, reason=reason), message
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
        case OperatorAction.OVERRIDE | OperatorAction.CLEAR_OVERRIDE:
            assert isinstance(request, OverrideRequest | ClearRequest)  # noqa: S101
            return override_of(request, actor, state, now_ms, user_ref)
        case _:
            assert_never(action)


def _require_free_hold(state: State, *, is_rollback: bool) -> None:
    if not holds.can_add(state, is_rollback=is_rollback):
        text = f"there are {len(state.flag.holds)} holds, and at most {HOLDS_MAX} are kept; lift one first"
        raise SidecarError(ErrorCode.CONFLICT, text)


def _resume(request: ResumeRequest, state: State, actor: str) -> tuple[ActionFact, str]:
    standing = state.flag.holds
    if not standing:
        raise SidecarError(ErrorCode.CONFLICT, "there is no hold to lift")
    lifted = holds.unnamed(state)
    if request.hold is not None:
        lifted = next((each for each in standing if each.id == request.hold), None)
    if lifted is None:
        why = f"there is no hold {request.hold}" if request.hold is not None else _must_name(len(standing))
        known = "; ".join(
            f"`{holds.lifted_by(each)} --reason '...'` lifts that of {holds.by_whom([each])}" for each in standing
        )
        raise SidecarError(ErrorCode.CONFLICT, f"{why}: {known}")
    others = len(standing) - 1
    left = "" if not others else f"; {others} more {'stands' if others == 1 else 'stand'}"
    message = f"the hold {lifted.id} of {lifted.actor} is lifted{left}"
    return Resumed(actor=actor, reason=request.reason, hold=lifted.id), message


def _must_name(count: int) -> str:
    return f"there are {count} holds, so name one" if count > 1 else "this is the hold of a rollback, so name it"


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
    standing = state.flag.approval
    if standing is not None and (standing.rung, standing.epoch) == (to_rung, epoch):
        until = stamp(standing.at_ms + APPROVAL_LASTS_MS)
        text = f"{standing.actor} has approved rung {to_rung} in epoch {epoch} already, until {until}"
        raise SidecarError(ErrorCode.CONFLICT, f"{text}: {standing.reason}")
    message = f"rung {to_rung} ({rung.mode}) is approved for epoch {epoch}, once, for 7 days, or until a fall"
    return Approved(actor=actor, reason=request.reason, rung=to_rung, epoch=epoch), message


def _seen(rung: int | None, epoch: int | None) -> str:
    """Return what the operator saw as text; at least one of the two is given."""
    seen = (f"rung {rung}" if rung is not None else "", f"epoch {epoch}" if epoch is not None else "")
    return " in ".join(each for each in seen if each)


def _freeze(request: FreezeRequest, actor: str, state: State, now_ms: int) -> tuple[ActionFact, str]:
    if request.begins_now and isinstance(request.window, Once):
        begun = Once(from_ms=now_ms, until_ms=request.window.until_ms)
        request = msgspec.structs.replace(request, window=begun)
    fault = _fault(request, now_ms)
    if fault is not None:
        raise SidecarError(ErrorCode.BODY_INVALID, fault)
    old = _freeze_named(request.name, state)
    if old is not None and not request.replace:
        text = f"{old.actor} has the freeze {old.name} already, until {stamp(old.expires_ms)}: {old.reason}"
        raise SidecarError(ErrorCode.CONFLICT, f"{text}; take another name, or replace it with --replace")
    if sum(each.name != request.name for each in state.flag.freezes) >= FREEZES_MAX:
        raise SidecarError(ErrorCode.CONFLICT, f"there are {FREEZES_MAX} freezes, the maximum; thaw one first")
    window, expires_ms = request.window, request.expires_ms or 0
    if isinstance(window, Once):
        expires_ms = min(window.until_ms, request.expires_ms or window.until_ms)
    fact = Frozen(
        actor=actor,
        reason=request.reason,
        name=request.name,
        window=window,
        expires_ms=expires_ms,
        replaced=Replaced(id=old.id, actor=old.actor, reason=old.reason) if old is not None else None,
        is_exclusive=True,
    )
    place = "" if old is None else f", in place of that of {old.actor},"
    message = f"{request.name}{place} forbids climbing in its windows until {stamp(expires_ms)}; falling stays possible"
    return fact, message


def _freeze_named(name: str, state: State) -> Freeze | None:
    return next((each for each in state.flag.freezes if each.name == name), None)


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
    meant = _freeze_named(request.name, state)
    if meant is None:
        names = [each.name for each in state.flag.freezes]
        known = f"existing: {', '.join(names)}" if names else "there are none"
        raise SidecarError(ErrorCode.CONFLICT, f"unknown freeze; {known}")
    fact = Thawed(actor=actor, reason=request.reason, name=request.name, freeze=meant.id)
    return fact, f"{meant.name} is thawed; it was set by {meant.actor}: {meant.reason}"


def overtaken_by(fact: ActionFact, appended: Appended, state: State) -> str | None:
    """Return why an action that was appended and folded had no effect, as another one came first; None: it had.

    Of two that lift the same hold, freeze or override, the journal stores the first, and returns it to both.
    """
    record, by = appended.record, appended.record.observation
    if appended.duplicate and isinstance(by, Resumed | Thawed | OverrideCleared):
        return f"{by.actor} has lifted it at the same moment: {by.reason}"
    if isinstance(fact, Frozen) and all(each.id != record.seq for each in state.flag.freezes):
        return "another freeze was added at the same moment: see `sidecar status`, and try again"
    if isinstance(fact, Overridden) and all(each.id != record.seq for each in state.flag.overrides):
        return "another override was added at the same moment, and there are too many: see `sidecar status`"
    if isinstance(fact, Held) and all(each.id != record.seq for each in state.flag.holds):
        return "another hold was added at the same moment, and there are too many: see `sidecar status`"
    if isinstance(fact, Thawed) and any(each.name == fact.name for each in state.flag.freezes):
        return "another freeze has taken its name at the same moment, and stands: see `sidecar status`"
    approval, epoch = state.flag.approval, state.indicators[PAYMENTS].epoch
    is_used = isinstance(fact, Approved) and state.flag.rung >= fact.rung
    if isinstance(fact, Approved) and not is_used and (fact.rung, fact.epoch) != (state.flag.rung + 1, epoch):
        return f"the flag has moved at the same moment: rung {state.flag.rung + 1} in epoch {epoch} is next"
    if isinstance(fact, Approved) and approval is not None and approval.at_ms != record.at_ms:
        return f"{approval.actor} has approved it at the same moment: {approval.reason}"
    return None
