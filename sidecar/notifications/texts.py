"""Texts of notifications: what happened, which payers are affected, and what to do next.

A title is complete on its own, for a list on a phone. The texts do not depend on the kind of target.
"""

from typing import assert_never

from sidecar.core.decision.gate import estimate
from sidecar.core.decision.gates import duration, first_closed
from sidecar.core.facts.observations import FallCause
from sidecar.core.facts.policy import PPM, Lifecycle, Policy, Rung
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.conclusions import FlagMoved
from sidecar.core.fold.state import State
from sidecar.notifications.notification import NotificationKind, Words
from sidecar.wording import INDICATORS, MODES, SUSPENSIONS, label_of

_NOTHING = "Nothing."
_UNAFFECTED = "Nobody is affected: all payers are on timers."


def rung_name(rung: Rung) -> str:
    """Return the name of a rung in a sentence: `push with a safety net for 10 % of payers`."""
    share = "all payers" if rung.share_ppm == PPM else f"{100 * rung.share_ppm / PPM:g} % of payers"
    return f"{_lowered(MODES[rung.mode].label)} for {share}"


def place(flag: str, environment: str) -> str:
    """Return the flag and its environment, the beginning of every title."""
    return f"{flag} in {environment}"


def moved(state: State, policy: Policy, move: FlagMoved, kind: NotificationKind, seq: int) -> Words:
    """Return the text for a move of the flag; `seq` is the record of the move."""
    rung = Rung(mode=move.to_mode, share_ppm=move.share_ppm)
    is_same_ladder = move.cause != "policy" and move.from_rung < len(policy.ladder)
    before = rung_name(policy.ladder[move.from_rung]) if is_same_ladder else _lowered(MODES[move.from_mode].label)
    cause = f"Cause: {'rolled back by ' if move.cause == FallCause.ROLLBACK else ''}{move.detail}."
    text = f"The flag moved from {before} to {rung_name(rung)}. {MODES[move.to_mode].description} {cause}"
    if kind is not NotificationKind.FELL:
        return _words(policy, f"now {rung_name(rung)}", text, _after_move(state, kind, seq))
    left_ms = max(0, state.flag.cooldown_until_ms - state.now_ms)
    wait = f" The flag does not climb for {duration(left_ms)} (cool-down)." if left_ms else ""
    return _words(policy, "fall, all payers get timers", text + wait, _after_fall(policy, move, seq))


def _after_fall(policy: Policy, move: FlagMoved, seq: int) -> str:
    match FallCause(move.cause) if move.cause in set(FallCause) else None:
        case FallCause.ROLLBACK:
            return f"The flag is held until `sidecar resume --hold {seq} --reason '…'`."
        case FallCause.BLIND:
            return "Find out why the sidecar observed nothing for over 24 hours."
        case FallCause.SUSPENSION:
            return "Reverb is unstable repeatedly or for long: run `sidecar doctor` and `sidecar status`."
        case FallCause.ALARM:
            runbooks = [words.remedy for indicator, words in INDICATORS.items() if indicator in move.detail]
            back = "resumes by itself" if policy.lifecycle is Lifecycle.REMOVED else "is proven again"
            return " ".join((f"Find the cause before push {back}: `sidecar explain {seq}`.", *runbooks))
        case None:
            return f"If this was not intended: `sidecar explain {seq}` shows who changed the policy."
        case never:
            assert_never(never)


def _after_move(state: State, kind: NotificationKind, seq: int) -> str:
    if kind is NotificationKind.RETURNED:
        return "Watch it: another fall doubles the cool-down. `sidecar status` shows the measurements."
    if kind is NotificationKind.MOVED:
        return f"If this was not intended: `sidecar explain {seq}` shows who changed the policy."
    following = state.next_rung
    if following is None:
        return "This is the last rung. `sidecar gate` checks whether the timers can be removed; see docs/removal.md."
    approval = " (requires `sidecar approve --reason '...'`)" if following.approval_required else ""
    return f"Nothing. The next rung is {rung_name(following)}{approval}; `sidecar status` shows what it needs."


def suspended(
    state: State, policy: Policy, reason: SuspensionReason, *, until_ms: int | None = None, lasted_ms: int | None = None
) -> Words:
    """Return the text for a suspension: `until_ms` if its earliest end is known, `lasted_ms` if it already lasts."""
    words = SUSPENSIONS[reason]
    title = f"push suspended{_span(' for', lasted_ms)}: {_lowered(words.label)}"
    parts = [words.description, "All payers get timers." if state.flag.rung > 0 else _UNAFFECTED]
    if until_ms is not None:
        parts.append(f"Earliest end: {duration(max(0, until_ms - state.now_ms))} without a failed probe.")
    if state.rung is not None:
        parts.append(f"The rung ({rung_name(state.rung)}) and its evidence are kept.")
    runbook = "" if reason is SuspensionReason.REVERB_UNSTABLE else " Runbook: ReverbSidecarSuspended."
    return _words(policy, title, " ".join(parts), f"{words.remedy}{runbook}")


def resumed(state: State, policy: Policy, *, lasted_ms: int | None, is_fallen: bool = False) -> Words:
    """Return the text for the end of a suspension; `is_fallen`: it ended in a fall."""
    after = _span(" after", lasted_ms)
    if is_fallen:
        text = "All payers stay on timers. The evidence must be collected again."
        return _words(policy, f"the suspension ended{after} in a fall", text, "See the notification of the fall.")
    rung = f": {rung_name(state.rung)}" if state.rung is not None else ""
    return _words(policy, f"push resumes{after}", f"Payers are served the current rung{rung}.", _NOTHING)


def alarm_raised(state: State, policy: Policy, indicator: str) -> Words:
    """Return the text for an indicator that became unreliable."""
    words, counts = INDICATORS[indicator], state.indicators[indicator]
    affected = "All payers get timers from now on." if state.flag.rung > 0 else _UNAFFECTED
    text = f"{words.description} {counts.bad} of {counts.good + counts.bad} outcomes in this epoch are bad. {affected}"
    following = "Another notification follows: suspension, fall or end of the alarm."
    return _words(policy, f"alarm of {indicator}", text, f"Run `sidecar status`. {words.remedy} {following}")


def alarm_ended(policy: Policy, indicator: str) -> Words:
    """Return the text for an indicator that is reliable again."""
    text = "The indicator is calm again. `sidecar status` shows what payers are served."
    return _words(policy, f"the alarm of {indicator} ended", text, _NOTHING)


def isolation_broken(policy: Policy) -> Words:
    """Return the text for an isolation probe that was allowed."""
    return _words(
        policy,
        "SECURITY, users can listen to each other's payments",
        "The isolation probe requested the channel of another user and was allowed. Payers still receive their "
        "broadcasts, and other users can receive them too.",
        "In routes/channels.php, the callback must compare the user's id with the id in the channel's name. "
        "Runbook: ReverbSidecarIsolationBroken.",
    )


def stuck(state: State, policy: Policy, lasted_ms: int) -> Words:
    """Return the text for a flag that stays on the same rung, with the first closed gate."""
    gate = first_closed(state)
    rung = rung_name(policy.ladder[state.flag.rung])
    text = f"The current rung is {rung}. Nobody is affected; payers poll more than necessary."
    needs = "All gates pass and the flag does not climb: look for `controller.failed` in the log."
    if gate is not None:
        text += f' Closed gate: "{label_of(gate.name)}" ({gate.value}, target {gate.target}).'
        needs = f"It needs {gate.needs}."
        if gate.expected_between_ms is not None:
            needs += f" {estimate(gate.expected_between_ms, state.now_ms).capitalize()}."
        elif gate.expected_ms is not None:
            left = duration(max(0, gate.expected_ms - state.now_ms))
            needs += f" The gate passes in {left}."
    return _words(policy, f"on the same rung for {duration(lasted_ms)}", text, f"{needs} All gates: `sidecar status`.")


def released(policy: Policy, release: str, actor: str, text: str) -> Words:
    """Return the text for a noted release."""
    return Words(
        title=f"{place(policy.flag, policy.environment)}: release {release}", text=f"{actor}: {text}", next=_NOTHING
    )


def test(flag: str, environment: str) -> Words:
    """Return the text of a test notification."""
    return Words(
        title=f"{place(flag, environment)}: a test of notifications",
        text="Nothing happened: this tests whether notifications arrive here. No payer is affected.",
        next=_NOTHING,
    )


def _words(policy: Policy, title: str, text: str, following: str) -> Words:
    return Words(
        title=f"{place(policy.flag, policy.environment)}: {title}",
        text=f"DRY RUN, push is not served: {text}" if policy.dry_run else text,
        next=following,
    )


def _span(before: str, span_ms: int | None) -> str:
    return "" if span_ms is None else f"{before} {duration(span_ms)}"


def _lowered(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}" if not text.startswith("Reverb") else text
