"""Why is it is? In sentences: what is served and why, and for each gate of the next rung what would change it.

"Why not yet?" has a full answer at any moment: every reason to serve timers, and every gate, has a sentence that names
the cause and one that says what to do, or that nothing is to be done but wait.
"""

from collections.abc import Iterator
from typing import assert_never

import msgspec

from sidecar.console.decisions import Detail, Kind
from sidecar.core.decision.decide import Action, decide
from sidecar.core.decision.gates import Gate, duration, gates
from sidecar.core.facts.calendar import stamp
from sidecar.core.facts.observations import Fell
from sidecar.core.facts.policy import PPM, Lifecycle, Policy, Rung
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.freezes import begins_ms, in_force
from sidecar.core.fold.ladder import APPROVAL_LASTS_MS
from sidecar.core.fold.serving import Reason, Served
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import INDICATORS, PAYMENTS

_WAIT = "Nothing: it passes by itself."


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One cause."""

    key: str
    """What it is about: a reason of what is served, of a rest, a verdict, or a gate's name."""
    text: str
    """The cause, as a sentence."""
    remedy: str
    """What to do, as a sentence."""
    passes: bool = False
    """Of a gate: it does not stand in the way."""
    expected_ms: int | None = None
    """When it will have passed at the present rate, in Unix milliseconds; None: nobody can say."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why it is as it is now, or why something was decided."""

    seq: int | None
    """The record that is explained; None: the present is."""
    at_ms: int
    """When it was decided, or now."""
    headline: str
    """The answer in one sentence."""
    points: tuple[Point, ...]
    """Why; the most urgent first."""
    gates: tuple[Point, ...]
    """Of the next rung, in the order in which they are asked; of a decision what each gate said then."""


def explain_now(state: State, served: Served, *, now_ms: int, policy_refused: str = "") -> Explanation:
    """Say why it is as it is. `served`: what this process answers to somebody who belongs to every share."""
    policy = state.policy
    if policy is None:
        text = "No policy is in force yet: this process has not caught up with its journal."
        point = Point(key=Reason.STARTING, text=text, remedy="Wait; if it lasts, see its log for `journal.replaying`.")
        return Explanation(seq=None, at_ms=now_ms, headline=text, points=(point,), gates=())
    points = [_served(state, policy, served, policy_refused), *_standing(state, policy), _next(state, policy)]
    return Explanation(
        seq=None,
        at_ms=now_ms,
        headline=_headline(state, policy, served),
        points=tuple(points),
        gates=tuple(_gate(gate, now_ms) for gate in gates(state)),
    )


def _headline(state: State, policy: Policy, served: Served) -> str:
    what = f"{policy.environment} serves {served.mode}"
    if served.reason is Reason.CURRENT_RUNG and state.rung is not None:
        what += f" to {_share(state.rung)} of the users"
    closed = next((gate for gate in gates(state) if not gate.passes), None)
    if state.next_rung is None:
        return f"{what} ({served.reason}); there is no higher rung."
    if closed is None:
        return f"{what} ({served.reason}); nothing stands in the way of rung {state.flag.rung + 1}."
    return f"{what} ({served.reason}); not yet rung {state.flag.rung + 1}, because of: {closed.name}."


# --- what is served


def _served(state: State, policy: Policy, served: Served, policy_refused: str) -> Point:
    reason, rung = served.reason, state.rung
    match reason:
        case Reason.CURRENT_RUNG | Reason.OUTSIDE_SHARE | Reason.NO_TARGETING_KEY:
            share = _share(rung) if rung is not None else "nobody"
            text = f"{served.mode} is served, because rung {state.flag.rung} is held, for {share} of the users."
            return Point(key=reason, text=text, remedy="Nothing: this is what was proven.")
        case Reason.BOTTOM_RUNG:
            text = "Everybody gets timers, because the bottom rung is held: nothing better is proven, or it was lost."
            return Point(key=reason, text=text, remedy="See the gates of the next rung.")
        case Reason.ALARM:
            return _alarm(state, policy)
        case Reason.SUSPENDED:
            return _suspended(state, policy, served)
        case Reason.DRY_RUN:
            text = "Everybody gets timers, because this is a dry run: all is decided and recorded, and nothing served."
            return Point(
                key=reason, text=text, remedy="When it has shown enough: `policy.dry_run: false`, and restart."
            )
        case Reason.STARTING:
            return Point(key=reason, text="This process has not caught up with its journal.", remedy="Wait for it.")
        case Reason.NO_LEASE:
            text = "This process answers timers, because it has not lately proven that it can write its journal."
            remedy = "See its log for `journal.failed`, and the disk under the journal; right after a start, wait."
            return Point(key=reason, text=text, remedy=remedy)
        case Reason.POLICY_DIFFERS:
            text = "This process answers timers, because its file is not the policy in force."
            remedy = "Update the file, or bring its policy back: sidecar run --adopt-policy --reason '...'."
            return Point(key=reason, text=f"{text} {policy_refused}".strip(), remedy=remedy)
        case _:
            assert_never(reason)


def _alarm(state: State, policy: Policy) -> Point:
    latched = [row.name for row in INDICATORS if state.indicators[row.name].is_latched]
    text = f"Everybody gets timers, because there is an alarm of {', '.join(latched)}."
    if decide(state, "explain").reason == "naming":
        gate = next((each for each in gates(state) if each.name == "alarm"), None)
        text += " Within a minute it is named: a suspension where Reverb was away, else a fall."
        expected_ms = gate.expected_ms if gate is not None else None
        return Point(
            key="naming", text=text, remedy="Nothing yet: see `sidecar doctor` meanwhile.", expected_ms=expected_ms
        )
    del policy
    remedy = "Recover what fails (`sidecar doctor`, the runbooks); good outcomes calm the alarm by themselves."
    return Point(key=Reason.ALARM, text=text, remedy=remedy)


def _suspended(state: State, policy: Policy, served: Served) -> Point:
    reason = served.suspension or SuspensionReason.RECOVERING
    text, remedy = SUSPENSIONS[reason]
    judged, total = state.coverage.counts()
    filled = text.format(
        sources=", ".join(state.visibility.silent_sources) or "one of the sidecar's own sources",
        stage=policy.stage,
        judged=judged,
        total=total,
        until=stamp(state.flag.suspension.until_ms if state.flag.suspension else state.now_ms),
    )
    expected_ms = None
    if reason is SuspensionReason.REVERB_UNSTABLE and state.flag.suspension is not None:
        expected_ms = state.flag.suspension.until_ms
    elif policy.reverb is None and state.visibility.recover_until_ms > state.now_ms:
        expected_ms = state.visibility.recover_until_ms if reason is SuspensionReason.RECOVERING else None
    return Point(key=reason, text=f"Everybody gets timers, because {filled}", remedy=remedy, expected_ms=expected_ms)


SUSPENSIONS = {
    SuspensionReason.REVERB_UNSTABLE: (
        "Reverb is unstable; the rung and its proof are kept. Push resumes at {until} if no probe fails before.",
        "See what happens to Reverb (`sidecar doctor`): the third suspension in a day, or 30 minutes, is a fall.",
    ),
    SuspensionReason.RECOVERING: (
        "we were blind (a start, a pause, a set clock), and have not seen without a gap for long enough since.",
        _WAIT,
    ),
    SuspensionReason.SOURCE_DOWN: (
        "{sources} has not answered for longer than a lease, so payments cannot be judged.",
        "See the log for why it does not answer, and bring it back.",
    ),
    SuspensionReason.COVERAGE: (
        "only {judged} of the last {total} payments could be judged: what is served is not what is measured.",
        "See why payments are unmeasured (`sidecar status`), and recover that.",
    ),
    SuspensionReason.UNMEASURED: (
        "five payments or more in a row could not be judged, through our own fault.",
        "See the log for why the sidecar could not see; one payment that can be judged ends it.",
    ),
    SuspensionReason.CUT_OFF: (
        "neither Reverb nor the auth endpoint nor the reference target can be reached: our own network is cut off.",
        "Recover the sidecar's way to the outside; it goes on by itself.",
    ),
    SuspensionReason.PROBES_SILENT: (
        "no probe of Reverb has ended for far longer than they take, so nobody watches Reverb.",
        "See the log for `probe.failed`; restart the sidecar if its probes are stuck.",
    ),
    SuspensionReason.UNWIRED: (
        "a push rung is held and no ack of stage `{stage}` has ever come, so push would be served unmeasured.",
        "Let the backend send acks (clients/laravel), or broadcast on the observer channel too.",
    ),
}
"""Why push is suspended, after "because", and what to do."""


# --- what people and falls did


def _standing(state: State, policy: Policy) -> Iterator[Point]:
    """Yield what outlasts the moment: the last move, a hold, freezes, a cool-down, an approval, a missing wire."""
    flag = state.flag
    if state.moves:
        move = state.moves[-1]
        text = f"The last move was at {stamp(move.at_ms)}, from rung {move.from_rung} to rung {move.to_rung}"
        remedy = f"For all that it was based on: sidecar explain {move.seq}."
        yield Point(key="last_move", text=_sentence(f"{text}, {move.cause}: {move.detail}"), remedy=remedy)
    if flag.hold is not None:
        text = f"{flag.hold.actor} holds the flag since {stamp(flag.hold.at_ms)}: {flag.hold.reason}"
        yield Point(
            key="hold", text=_sentence(text), remedy="When the reason has passed: sidecar resume --reason '...'."
        )
    frozen = in_force(state)
    for each in flag.freezes:
        begin_ms = begins_ms(each, state.now_ms)
        when = "is in force" if each in frozen else "is not in force"
        then = "" if begin_ms is None else f", begins next at {stamp(begin_ms)}"
        text = (
            f"The freeze {each.name} of {each.actor} {when}{then}, and goes at {stamp(each.expires_ms)}: {each.reason}"
        )
        remedy = f"Earlier: sidecar thaw {each.name} --reason '...'." if each in frozen else _WAIT
        yield Point(key="frozen", text=_sentence(text), remedy=remedy, expected_ms=each.expires_ms)
    if flag.cooldown_until_ms > state.now_ms:
        text = f"After the last fall nothing climbs until {stamp(flag.cooldown_until_ms)}; each fall doubles that time."
        yield Point(key="cooldown", text=text, remedy=_WAIT, expected_ms=flag.cooldown_until_ms)
    if flag.approval is not None:
        until = stamp(flag.approval.at_ms + APPROVAL_LASTS_MS)
        text = (
            f"{flag.approval.actor} approved rung {flag.approval.rung}, until {until} or a fall: {flag.approval.reason}"
        )
        remedy = "Nothing: it is used by the climb onto that rung."
        if flag.approval.epoch != state.indicators[PAYMENTS].epoch:
            remedy = "It counts for nothing any more: another epoch has begun. When that is proven, approve anew."
        yield Point(key="approved", text=_sentence(text), remedy=remedy)
    if state.wired_ms is None:
        text = f"No ack of stage `{policy.stage}` has ever come, so no payment can be judged."
        remedy = "Let the backend send acks (clients/laravel), or broadcast on the observer channel too."
        yield Point(key="not_wired", text=text, remedy=remedy)


def _next(state: State, policy: Policy) -> Point:
    """Say what the controller would do now."""
    verdict, rung = decide(state, "explain"), state.next_rung
    is_off = policy.lifecycle is Lifecycle.REMOVED
    if isinstance(verdict.decision, Fell):
        text = f"The flag is about to fall to the bottom rung: {verdict.decision.detail}."
        return Point(key="falling", text=text, remedy="Nothing: timers are served already.")
    if verdict.action is Action.RENEW:
        text = "A new epoch is about to begin, because it would prove sooner than the old one."
        return Point(key="renew", text=text, remedy=_WAIT)
    if rung is None:
        text = "The ladder is off (lifecycle: removed): this is the best that is served."
        if not is_off:
            text = "The top of the ladder is held: there is nothing to climb to."
        return Point(key="top", text=text, remedy="See docs/removal.md for what may go from the app now.")
    name = f"rung {state.flag.rung + 1}, {rung.mode} for {_share(rung)} of the users"
    closed = [gate for gate in gates(state) if not gate.passes]
    if not closed:
        text = f"Every gate holds: the climb to {name} is due, and is taken within a second."
        return Point(key="climbing", text=text, remedy=_WAIT)
    known = [gate.expected_ms for gate in closed]
    is_known = all(at_ms is not None for at_ms in known)
    expected_ms = max((at_ms for at_ms in known if at_ms is not None), default=None) if is_known else None
    count = "One gate stands" if len(closed) == 1 else f"{len(closed)} gates stand"
    text = f"{count} in the way of {name}: {', '.join(gate.name for gate in closed)}."
    return Point(key="next", text=text, remedy="See what each of them needs.", expected_ms=expected_ms)


# --- the gates


def _gate(gate: Gate, now_ms: int) -> Point:
    if gate.passes:
        text = f"{gate.name} holds: {gate.value} (target: {gate.target})."
        return Point(key=gate.name, text=text, remedy=f"It would close {CLOSES[_kind(gate.name)]}.", passes=True)
    when = ""
    if gate.expected_ms is not None:
        when = f"; expected at {stamp(gate.expected_ms)}, in {duration(max(0, gate.expected_ms - now_ms))}"
    text = _sentence(f"{gate.name} does not hold: {gate.value} (target: {gate.target}). It needs {gate.needs}{when}")
    return Point(key=gate.name, text=text, remedy=REMEDIES[_kind(gate.name)], expected_ms=gate.expected_ms)


def remedy_of(gate: str) -> str:
    """Return what to do about a gate that does not hold, as a sentence."""
    return REMEDIES[_kind(gate)]


def _kind(name: str) -> str:
    return next((kind for kind in ("recent", "evidence") if name.startswith(f"{kind}_")), name)


REMEDIES = {
    "alarm": "Recover what fails: `sidecar doctor` says where it does; good outcomes then calm it.",
    "suspension": "Remove the cause that is named above.",
    "isolation": "In routes/channels.php let the callback compare the user's id with the channel's: a security hole.",
    "hold": "When the reason has passed: sidecar resume --reason '...'.",
    "freeze": "Wait for its end, or: sidecar thaw NAME --reason '...'.",
    "cooldown": _WAIT,
    "soak": _WAIT,
    "coverage": "Wait for payments; where many are unmeasured, see why (`sidecar status`), and recover that.",
    "exact": "Let acks name their payment: payment_intent in the broadcast's payload (clients/laravel).",
    "stage": "Set acks.stage: delivered, and let the observers watch.",
    "recent": "Wait for good outcomes; if bad ones go on, see `sidecar doctor`.",
    "evidence": "Wait for outcomes; where none ever came, wire their source (docs/setup.md).",
    "payers_on_rung": "Wait for payers; if none report, see docs/payers.md.",
    "worst_case": "Wait for clean payments; where many are unmeasured, see why (`sidecar status`).",
    "approval": "Look at the evidence, then: sidecar approve --reason '...'.",
}
"""What to do about each gate that does not hold."""

CLOSES = {
    "alarm": "with the next alarm of any indicator",
    "suspension": "as soon as push is suspended",
    "isolation": "if the probe user were let into a channel that is not its own",
    "hold": "when somebody says `sidecar hold`",
    "freeze": "in a window that somebody froze",
    "cooldown": "after a fall",
    "soak": "only with a move of the flag",
    "coverage": "if too few of the payments could be judged",
    "exact": "never again",
    "stage": "with another `acks.stage`",
    "recent": "with a run of failures",
    "evidence": "with failures, or a new epoch",
    "payers_on_rung": "with a move of the flag, or if another flow became common",
    "worst_case": "if more payments went unmeasured",
    "approval": "when it is used, with a fall, or after 7 days",
}
"""What would close each gate that holds."""


# --- a decision


def explain_decision(detail: Detail) -> Explanation:
    """Say why something was decided, or who said it."""
    entry = detail.entry
    points = [Point(key=entry.what, text=_sentence(f"{entry.who} {entry.text}"), remedy="")]
    if entry.reason:
        words = "The reason in the record" if entry.kind is not Kind.DECISION else "What was seen"
        points.append(Point(key="reason", text=_sentence(f"{words}: {entry.reason}"), remedy=""))
    if entry.is_in_force is False:
        text = "It came too late: something had moved since it was decided, so the flag stayed."
        points.append(Point(key="ignored", text=text, remedy=""))
    if entry.policy_hash:
        text = f"The policy in force was {entry.policy_hash[:12]}."
        points.append(Point(key="policy", text=text, remedy=""))
    points.append(Point(key="head", text=f"The head of the chain after it is {entry.head}.", remedy=""))
    said = tuple(
        Point(
            key=gate.name,
            text=f"{gate.name} {'held' if gate.passes else 'did not hold'}: {gate.value} (target: {gate.target}).",
            remedy="",
            passes=gate.passes,
        )
        for gate in entry.gates
    )
    headline = _sentence(f"At {stamp(entry.at_ms)} {entry.who} {entry.text}")
    return Explanation(seq=entry.seq, at_ms=entry.at_ms, headline=headline, points=tuple(points), gates=said)


def _share(rung: Rung) -> str:
    return f"{100 * rung.share_ppm / PPM:g} %"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
