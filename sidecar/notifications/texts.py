"""What is said of each event: what happened, who is affected, in payers, and what to do next.

A title stands alone, in a list on a phone. Nothing here knows how it travels.
"""

from typing import assert_never

from sidecar.core.decision.gates import duration, first_closed
from sidecar.core.facts.observations import FallCause
from sidecar.core.facts.policy import PPM, Lifecycle, Mode, Policy, Rung
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.conclusions import FlagMoved
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import CHANNEL_AUTH, PAYMENTS, REACH, ROUND_TRIPS, USER_AUTH
from sidecar.notifications.notification import NotificationKind, Words

_MEANS = {
    Mode.TIMER_POLLING: "their pages refetch at 0, 2 and 5 s, whatever push does",
    Mode.PUSH_WITH_SAFETY_NET: "their pages refetch at once and on the push, and at 5 s where nothing helped",
    Mode.PUSH_ONLY: "their pages refetch at once and on the push, and no timer helps",
}
_ALARMS = {
    PAYMENTS: ("the news of payments comes late or not at all", "ReverbSidecarDeliveryBurning"),
    ROUND_TRIPS: ("canaries do not come back through Reverb", "ReverbSidecarRoundTripsFailing"),
    CHANNEL_AUTH: ("the probe user does not get into its channel", "ReverbSidecarChannelAuthFailing"),
    USER_AUTH: ("the backend refuses payers their channels", "ReverbSidecarPayersCannotSubscribe"),
    REACH: ("payers' browsers say that push does not reach them", "ReverbSidecarReachDegraded"),
}
"""By indicator: what its alarm says, and the runbook."""
_SUSPENSIONS = {
    SuspensionReason.REVERB_UNSTABLE: "see what happens to Reverb: `sidecar doctor`",
    SuspensionReason.RECOVERING: "nothing; it looks for long enough first, after a visibility gap",
    SuspensionReason.SOURCE_DOWN: "see whether the sources of acks answer (the log says which do not)",
    SuspensionReason.COVERAGE: "find out why so many payments cannot be judged: `sidecar status`, `unmeasured`",
    SuspensionReason.UNMEASURED: "find out why payments cannot be judged through our own fault: `sidecar status`",
    SuspensionReason.CUT_OFF: "see whether this machine reaches Reverb, the app and the reference target",
    SuspensionReason.PROBES_SILENT: "see why no probe of Reverb ends: the log says what they wait for",
    SuspensionReason.UNWIRED: "let the backend ack: no ack of the deciding stage has ever come",
}


def rung_name(rung: Rung) -> str:
    """Return a rung in words: `push_with_safety_net for 10 % of the payers`."""
    share = "all payers" if rung.share_ppm == PPM else f"{100 * rung.share_ppm / PPM:g} % of the payers"
    return f"{rung.mode} for {share}"


def place(policy: Policy) -> str:
    """Return which flag it is, in front of a title."""
    return f"{policy.flag} in {policy.environment}"


def moved(state: State, policy: Policy, move: FlagMoved, kind: NotificationKind, seq: int) -> Words:
    """Say that the flag went to another rung. `seq` is the record that moved it, for who wants to know more."""
    rung = Rung(mode=move.to_mode, share_ppm=move.share_ppm)
    why = f"Why: {'rolled back by ' if move.cause == FallCause.ROLLBACK else ''}{move.detail}."
    is_same_ladder = move.cause != "policy" and move.from_rung < len(policy.ladder)
    was = rung_name(policy.ladder[move.from_rung]) if is_same_ladder else move.from_mode.value
    if kind is NotificationKind.FELL:
        title = f"{place(policy)}: push fell, all payers are on timers"
        left_ms = max(0, state.flag.cooldown_until_ms - state.now_ms)
        wait = f" Nothing climbs for {duration(left_ms)} (the cool-down)." if left_ms else ""
        text = f"It was {was}, and now is timer_polling for everybody: {_MEANS[move.to_mode]}. {why}{wait}"
        return Words(title=title, text=_dry(policy, text), next=_after_fall(policy, move, seq))
    title = f"{place(policy)}: now {rung_name(rung)}"
    text = f"It was {was}, and now is {rung_name(rung)}: {_MEANS[move.to_mode]}. {why}"
    return Words(title=title, text=_dry(policy, text), next=_after_move(state, kind, seq))


def _after_fall(policy: Policy, move: FlagMoved, seq: int) -> str:
    match FallCause(move.cause) if move.cause in set(FallCause) else None:
        case FallCause.ROLLBACK:
            return "It holds until `sidecar resume --reason '…'`. Payers need nothing."
        case FallCause.BLIND:
            return "Find out why nothing was seen for over 24 hours. Payers need nothing."
        case FallCause.SUSPENSION:
            return "Reverb's trouble keeps coming or stays: `sidecar doctor`, `sidecar status`. Payers need nothing."
        case FallCause.ALARM:
            books = [book for indicator, (_, book) in _ALARMS.items() if indicator in move.detail]
            book = f" The runbook: {', '.join(books)}." if books else ""
            back = "returns by itself" if policy.lifecycle is Lifecycle.REMOVED else "is proven anew"
            return f"Find the cause before push {back}: `sidecar explain {seq}`.{book} Payers need nothing."
        case None:
            return f"If nobody meant it: `sidecar explain {seq}` says who changed the policy."
        case never:
            assert_never(never)


def _after_move(state: State, kind: NotificationKind, seq: int) -> str:
    if kind is NotificationKind.RETURNED:
        return "Watch it: another fall doubles the cool-down. `sidecar status` says what is measured."
    if kind is NotificationKind.MOVED:
        return f"If nobody meant it: `sidecar explain {seq}` says who changed the policy."
    following = state.next_rung
    if following is None:
        return "It is the last rung. `sidecar gate` says when the timers may go, and docs/removal.md how."
    approval = " (it must be approved: `sidecar approve`)" if following.approval_required else ""
    return f"Nothing. The next rung is {rung_name(following)}{approval}; `sidecar status` says what it needs."


def reverb_unstable(state: State, policy: Policy, until_ms: int) -> Words:
    """Say that timers are served for a while, and the rung is kept."""
    held = f" ({rung_name(state.rung)})" if state.rung is not None else ""
    text = (
        f"Reverb is unstable, so all payers get timers until {duration(max(0, until_ms - state.now_ms))} have passed "
        f"without a failed probe. The rung{held} and its proof are kept."
    )
    return Words(
        title=f"{place(policy)}: push is suspended, all payers are on timers for a while",
        text=_dry(policy, text),
        next="Is Reverb being deployed? Then nothing. If not: `sidecar doctor`. The third in 24 h is a fall, and so is "
        "one of over 30 min.",
    )


def reverb_stable(state: State, policy: Policy, *, lasted_ms: int | None, is_fallen: bool) -> Words:
    """Say that Reverb is stable again."""
    lasted = f" after {duration(lasted_ms)}" if lasted_ms is not None else ""
    if is_fallen:
        return Words(
            title=f"{place(policy)}: the suspension ended{lasted} in a fall",
            text="Payers stay on timers; what was proven must be proven anew.",
            next="See the notification of the fall. Payers need nothing.",
        )
    rung = state.rung
    text = f"Push is served again: {rung_name(rung)}." if rung is not None else "Push is served again."
    return Words(title=f"{place(policy)}: the suspension ended{lasted}", text=_dry(policy, text), next="Nothing.")


def alarm_raised(state: State, policy: Policy, indicator: str) -> Words:
    """Say that a indicator became unreliable."""
    says, book = _ALARMS[indicator]
    counted = state.indicators[indicator]
    served = (
        "All payers get timers from this moment on."
        if state.flag.rung > 0
        else "Nobody is affected: all payers are on timers."
    )
    text = f"{says[0].upper()}{says[1:]}: {counted.bad} bad of {counted.good + counted.bad} in this epoch. {served}"
    return Words(
        title=f"{place(policy)}: alarm of {indicator}",
        text=_dry(policy, text),
        next=f"`sidecar status`, and the runbook {book}. Another notification follows: suspension, fall or all clear.",
    )


def alarm_ended(policy: Policy, indicator: str) -> Words:
    """Say that a indicator is calm again."""
    return Words(
        title=f"{place(policy)}: the alarm of {indicator} is over",
        text="The indicator is calm again. What payers get is for the flag to say: see `sidecar status`.",
        next="Nothing.",
    )


def isolation_broken(policy: Policy) -> Words:
    """Say that channels are open to people whom they are not for."""
    return Words(
        title=f"{place(policy)}: SECURITY, users can listen to each other's payments",
        text="The probe user was let into a channel that is not its own. Payers get their news, and so may others.",
        next="In routes/channels.php, the callback must compare the user's id with the channel's. The runbook: "
        "ReverbSidecarIsolationBroken.",
    )


def suspended(state: State, policy: Policy, reason: SuspensionReason, span_ms: int) -> Words:
    """Say that push has been suspended for a while."""
    affected = "payers get timers meanwhile" if state.flag.rung > 0 else "payers are on timers anyway"
    return Words(
        title=f"{place(policy)}: push is suspended for {duration(span_ms)} ({reason})",
        text=f"Push is suspended because the sidecar cannot judge it, and {affected}. Nothing is proven meanwhile.",
        next=f"To do: {_SUSPENSIONS[reason]}. The runbook: ReverbSidecarSuspended.",
    )


def resumed(state: State, policy: Policy, span_ms: int) -> Words:
    """Say that push resumes."""
    rung = f": {rung_name(state.rung)}" if state.rung is not None else ""
    return Words(
        title=f"{place(policy)}: push resumes after {duration(span_ms)}",
        text=_dry(policy, f"Payers are served what the rung says{rung}."),
        next="Nothing.",
    )


def stuck(state: State, policy: Policy, span_ms: int) -> Words:
    """Say that the flag has been on the same rung for days, and what it waits for."""
    gate = first_closed(state)
    held = rung_name(policy.ladder[state.flag.rung])
    if gate is None:
        needs = "Every gate holds, and yet it has not climbed: the log says why (`controller.failed`)."
    else:
        needs = f"It needs {gate.needs}."
    waits = f" It waits for `{gate.name}`: {gate.value}, and the target is {gate.target}." if gate is not None else ""
    when = ""
    if gate is not None and gate.expected_ms is not None:
        when = f" At the present rate that holds in {duration(max(0, gate.expected_ms - state.now_ms))}."
    return Words(
        title=f"{place(policy)}: on the same rung for {duration(span_ms)}",
        text=f"It holds {held}. Nobody is affected, but payers poll more than they might have to.{waits}",
        next=f"{needs}{when} All gates: `sidecar status`.",
    )


def released(policy: Policy, release: str, actor: str, text: str) -> Words:
    """Say that a person noted a release."""
    return Words(title=f"{place(policy)}: release {release}", text=f"{actor}: {text}", next="Nothing.")


def test(policy_flag: str, environment: str) -> Words:
    """Say that nothing happened."""
    return Words(
        title=f"{policy_flag} in {environment}: a test of notifications",
        text="Nothing happened: somebody tries whether notifications arrive here. No payer is affected.",
        next="Nothing.",
    )


def _dry(policy: Policy, text: str) -> str:
    return f"DRY RUN, nobody is served this: {text}" if policy.dry_run else text
