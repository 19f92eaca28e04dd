"""Explain the present state, or one decision, in sentences: the cause, and what to do about it.

Every reason to serve timers and every gate has a sentence with its cause and one with its remedy, so "why not yet?" has
a complete answer at any moment. The words are those of `sidecar.wording`.
"""

from collections.abc import Iterator

import msgspec

from sidecar.console.decisions import Detail, Kind
from sidecar.core.decision.decide import Action, decide
from sidecar.core.decision.gate import estimate
from sidecar.core.decision.gate_rows import GATES as GATES_TABLE
from sidecar.core.decision.gates import Gate, duration, gates
from sidecar.core.facts.auth_probes import IsolationOutcome
from sidecar.core.facts.calendar import stamp
from sidecar.core.facts.observations import Fell
from sidecar.core.facts.policy import PPM, Lifecycle, Policy, Rung
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold import payer_coverage
from sidecar.core.fold.freezes import begins_ms, in_force
from sidecar.core.fold.holds import lifted_by
from sidecar.core.fold.ladder import APPROVAL_LASTS_MS
from sidecar.core.fold.serving import Reason, Served
from sidecar.core.fold.standing import Freeze
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import INDICATORS, PAYMENTS
from sidecar.wording import GATES, REASONS, SUSPENSIONS, WAIT

_TIMERS = "Everybody is served timers:"
_DECIDES_NOTHING = frozenset({Reason.POLICY_DIFFERS, Reason.NO_LEASE, Reason.STARTING})
"""What keeps this process from deciding anything, whatever the state is ready for."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One cause."""

    key: str
    """A reason of the flag, a suspension reason, a verdict, or a gate's name."""
    text: str
    """The cause, as a sentence."""
    remedy: str
    """What to do, as a sentence."""
    passes: bool = False
    """Of a gate: whether it passes."""
    expected_ms: int | None = None
    """When it will have passed at the present rate, in Unix milliseconds; None: unknown."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why the present state is as it is, or why something was decided."""

    seq: int | None
    """The record that is explained; None: the present state."""
    at_ms: int
    """When it was decided, or now."""
    headline: str
    """The answer in one sentence."""
    points: tuple[Point, ...]
    """The causes; the most urgent first."""
    gates: tuple[Point, ...]
    """The gates of the next rung, in their order; of a decision their readings at that time."""


def explain_now(state: State, served: Served, *, now_ms: int, policy_refused: str = "") -> Explanation:
    """Explain the present state. `served` is what this process answers to a user who belongs to every share."""
    policy = state.policy
    if policy is None:
        starting = REASONS[Reason.STARTING]
        text = f"No policy is in force yet: {starting.clause}."
        point = Point(key=Reason.STARTING, text=text, remedy=starting.remedy)
        return Explanation(seq=None, at_ms=now_ms, headline=text, points=(point,), gates=())
    answer = _served(state, policy, served, policy_refused)
    causes = sorted([(_rank(_GATE_OF.get(served.reason, "")), answer), *_standing(state, policy, served)], key=_first)
    points = [*(point for _, point in causes), *_last_move(state)]
    if served.reason not in _DECIDES_NOTHING:
        points.append(_next(state, policy))
    return Explanation(
        seq=None,
        at_ms=now_ms,
        headline=_headline(state, policy, served),
        points=tuple(points),
        gates=tuple(_gate(gate, now_ms) for gate in gates(state)),
    )


_ORDER = tuple(row.name for row in GATES_TABLE)
_GATE_OF = {Reason.ALARM: "alarm", Reason.SUSPENDED: "suspension"}


def _rank(gate: str) -> int:
    """Return the place of a cause: that of its gate, so that both name the same reasons in the same order."""
    return _ORDER.index(gate) if gate else -1


def _first(cause: tuple[int, Point]) -> int:
    return cause[0]


def _headline(state: State, policy: Policy, served: Served) -> str:
    what = f"{policy.environment} serves {served.mode}"
    if served.reason is Reason.CURRENT_RUNG and state.rung is not None:
        what += f" to {_share(state.rung)} of the users"
    closed = next((gate for gate in gates(state) if not gate.passes), None)
    if state.next_rung is None:
        return f"{what} ({served.reason}); there is no higher rung."
    if closed is None:
        return f"{what} ({served.reason}); every gate of rung {state.flag.rung + 1} passes."
    return f"{what} ({served.reason}); rung {state.flag.rung + 1} waits for the gate {closed.name}."


# --- what is served


def _served(state: State, policy: Policy, served: Served, policy_refused: str) -> Point:
    reason, rung, words = served.reason, state.rung, REASONS[served.reason]
    match reason:
        case Reason.CURRENT_RUNG | Reason.OUTSIDE_SHARE | Reason.NO_TARGETING_KEY | Reason.OVERRIDE:
            share = _share(rung) if rung is not None else "nobody"
            text = f"{served.mode} is served: the current rung is {state.flag.rung}, for {share} of the users."
            return Point(key=reason, text=text, remedy="Nothing: this is what was proven.")
        case Reason.ALARM:
            return _alarm(state)
        case Reason.SUSPENDED:
            return _suspended(state, policy, served)
        case Reason.POLICY_DIFFERS:
            return Point(key=reason, text=f"{_TIMERS} {words.clause}. {policy_refused}".strip(), remedy=words.remedy)
        case _:
            return Point(key=reason, text=f"{_TIMERS} {words.clause}.", remedy=words.remedy)


def _alarm(state: State) -> Point:
    latched = [row.name for row in INDICATORS if state.indicators[row.name].is_latched]
    text = f"{_TIMERS} there is an alarm of {', '.join(latched)}."
    if decide(state, "explain").reason == "attribution":
        gate = next((each for each in gates(state) if each.name == "alarm"), None)
        text += " Within a minute it is attributed: a suspension if Reverb was unstable, otherwise a fall."
        expected_ms = gate.expected_ms if gate is not None else None
        return Point(
            key="attribution", text=text, remedy="Nothing yet; meanwhile: sidecar doctor.", expected_ms=expected_ms
        )
    return Point(key=Reason.ALARM, text=text, remedy=REASONS[Reason.ALARM].remedy)


def _suspended(state: State, policy: Policy, served: Served) -> Point:
    reason = served.suspension or SuspensionReason.RECOVERING
    words, expected_ms = SUSPENSIONS[reason], None
    text = f"{_TIMERS} {words.clause}. {_circumstances(reason, state, policy)}".strip()
    if reason is SuspensionReason.REVERB_UNSTABLE and state.flag.suspension is not None:
        expected_ms = state.flag.suspension.until_ms
    elif reason is SuspensionReason.RECOVERING and policy.reverb is None:
        until_ms = state.visibility.recover_until_ms
        expected_ms = until_ms if until_ms > state.now_ms else None
    return Point(key=reason, text=text, remedy=words.remedy, expected_ms=expected_ms)


def _circumstances(reason: SuspensionReason, state: State, policy: Policy) -> str:
    """Return what a suspension's description cannot contain: names, counts and times."""
    if reason is SuspensionReason.SOURCE_DOWN and state.visibility.silent_sources:
        return f"No answer from: {', '.join(state.visibility.silent_sources)}."
    if reason is SuspensionReason.COVERAGE:
        judged, total = state.coverage.counts()
        return f"Judged: {judged} of {total}."
    if reason is SuspensionReason.PAYER_COVERAGE:
        counts = {name: state.payer_coverage[name].counts() for name in payer_coverage.required(policy)}
        shares = ", ".join(f"{name} {answered} of {total}" for name, (answered, total) in counts.items())
        return f"Payers who answered: {shares}."
    if reason is SuspensionReason.UNWIRED:
        return f"The deciding stage is `{policy.stage}`."
    if reason is SuspensionReason.REVERB_UNSTABLE and state.flag.suspension is not None:
        return f"The rung is kept. Push resumes at {stamp(state.flag.suspension.until_ms)} if no probe fails before."
    return ""


# --- operator actions, and the consequences of a fall


def _last_move(state: State) -> Iterator[Point]:
    if state.moves:
        move = state.moves[-1]
        text = f"The last move was at {stamp(move.at_ms)}, from rung {move.from_rung} to rung {move.to_rung}"
        remedy = f"For its evidence: sidecar explain {move.seq}."
        yield Point(key="last_move", text=_sentence(f"{text}, {move.cause}: {move.detail}"), remedy=remedy)


def _standing(state: State, policy: Policy, served: Served) -> Iterator[tuple[int, Point]]:
    """Yield what lasts beside the reason of the answer, each with the rank of its gate."""
    latched = [row.name for row in INDICATORS if state.indicators[row.name].is_latched]
    if latched and served.reason is not Reason.ALARM:
        text = f"There is an alarm of {', '.join(latched)}."
        yield _rank("alarm"), Point(key=Reason.ALARM, text=text, remedy=REASONS[Reason.ALARM].remedy)
    if state.suspension is not None and served.reason is not Reason.SUSPENDED:
        words = SUSPENSIONS[state.suspension]
        text = f"Push is suspended ({state.suspension}): {words.clause}."
        yield _rank("suspension"), Point(key=state.suspension, text=text, remedy=words.remedy)
    if policy.reverb is not None and state.probing.isolation is IsolationOutcome.ALLOWED:
        words = GATES["isolation"]
        text = "The probe user may subscribe to a channel that is not its own."
        yield _rank("isolation"), Point(key="isolation", text=text, remedy=words.remedy)
    yield from ((_rank("hold"), point) for point in _holds(state))
    yield from ((_rank("freeze"), _freeze(each, state)) for each in state.flag.freezes)
    if state.flag.cooldown_until_ms > state.now_ms:
        until = stamp(state.flag.cooldown_until_ms)
        text = f"After the last fall nothing climbs until {until}; each fall doubles the cool-down."
        expected_ms = state.flag.cooldown_until_ms
        yield _rank("cooldown"), Point(key="cooldown", text=text, remedy=WAIT, expected_ms=expected_ms)
    if state.wired_ms is None:
        text = f"No ack of stage `{policy.stage}` has matched a payment yet, so none can be judged."
        remedy = SUSPENSIONS[SuspensionReason.UNWIRED].remedy
        yield _rank("evidence_payments"), Point(key="not_wired", text=text, remedy=remedy)
    yield from ((_rank("approval"), point) for point in _approval(state))


def _holds(state: State) -> Iterator[Point]:
    for hold in state.flag.holds:
        what = ", by a rollback," if hold.is_rollback else ""
        text = f"{hold.actor} holds the flag{what} since {stamp(hold.at_ms)}: {hold.reason}"
        remedy = f"When the reason no longer applies: {lifted_by(hold)} --reason '...'."
        yield Point(key="hold", text=_sentence(text), remedy=remedy)


def _freeze(each: Freeze, state: State) -> Point:
    is_in_force, begin_ms = each in in_force(state), begins_ms(each, state.now_ms)
    when = "is in force" if is_in_force else "is not in force"
    then = "" if begin_ms is None else f", begins next at {stamp(begin_ms)}"
    text = f"The freeze {each.name} of {each.actor} {when}{then}, and expires at {stamp(each.expires_ms)}"
    remedy = f"To end it earlier: sidecar thaw {each.name} --reason '...'." if is_in_force else WAIT
    return Point(key="frozen", text=_sentence(f"{text}: {each.reason}"), remedy=remedy, expected_ms=each.expires_ms)


def _approval(state: State) -> Iterator[Point]:
    approval = state.flag.approval
    if approval is None:
        return
    until = stamp(approval.at_ms + APPROVAL_LASTS_MS)
    text = f"{approval.actor} approved rung {approval.rung}, until {until} or a fall: {approval.reason}"
    remedy = "Nothing: the climb to that rung uses it."
    if approval.epoch != state.indicators[PAYMENTS].epoch:
        remedy = "It is void: a new epoch has begun. Once that is proven, approve again."
    yield Point(key="approved", text=_sentence(text), remedy=remedy)


def _next(state: State, policy: Policy) -> Point:
    """Return what the controller would do now."""
    verdict, rung = decide(state, "explain"), state.next_rung
    if isinstance(verdict.decision, Fell):
        text = f"The flag is about to fall to the bottom rung: {verdict.decision.detail}."
        return Point(key="falling", text=text, remedy="Nothing: timers are served already.")
    if verdict.action is Action.RENEW:
        text = "A new epoch is about to begin, because it would prove sooner than the old one."
        return Point(key="renew", text=text, remedy=WAIT)
    if rung is None:
        is_off = policy.lifecycle is Lifecycle.REMOVED
        text = "The ladder is off (lifecycle: removed)." if is_off else "The flag is at the top of the ladder."
        return Point(key="top", text=text, remedy="See docs/removal.md for what you may remove from the app.")
    name = f"rung {state.flag.rung + 1}, {rung.mode} for {_share(rung)} of the users"
    closed = [gate for gate in gates(state) if not gate.passes]
    if not closed:
        text = f"Every gate passes: the climb to {name} is due, and is taken within a second."
        return Point(key="climbing", text=text, remedy=WAIT)
    known = [gate.expected_ms for gate in closed if gate.expected_ms is not None]
    expected_ms = max(known) if len(known) == len(closed) else None
    count = "One gate does" if len(closed) == 1 else f"{len(closed)} gates do"
    text = f"{count} not pass for {name}: {', '.join(gate.name for gate in closed)}."
    return Point(key="next", text=text, remedy="See what each of them needs.", expected_ms=expected_ms)


# --- the gates


def _gate(gate: Gate, now_ms: int) -> Point:
    words = GATES[gate.name]
    if gate.passes:
        text = f"{gate.name} passes: {gate.value} (target: {gate.target})."
        return Point(key=gate.name, text=text, remedy=words.description, passes=True)
    when = ""
    if gate.expected_between_ms is not None:
        when = f"; {estimate(gate.expected_between_ms, now_ms)}"
    elif gate.expected_ms is not None:
        when = f"; expected at {stamp(gate.expected_ms)}, in {duration(max(0, gate.expected_ms - now_ms))}"
    text = _sentence(f"{gate.name} does not pass: {gate.value} (target: {gate.target}). It needs {gate.needs}{when}")
    return Point(key=gate.name, text=text, remedy=words.remedy, expected_ms=gate.expected_ms)


# --- a decision


def explain_decision(detail: Detail) -> Explanation:
    """Explain a decision, an operator action or a policy."""
    entry = detail.entry
    points = [Point(key=entry.what, text=_sentence(f"{entry.who} {entry.text}"), remedy="")]
    if entry.reason:
        what = "The observation" if entry.kind is Kind.DECISION else "The reason in the record"
        points.append(Point(key="reason", text=_sentence(f"{what}: {entry.reason}"), remedy=""))
    if entry.is_in_force is False:
        text = "It had no effect: the flag had changed since it was decided."
        if entry.kind is Kind.POLICY:
            text = "It had no effect: it was refused, and the policy before it stayed in force."
        points.append(Point(key="ignored", text=text, remedy=""))
    if entry.policy_hash:
        text = f"The policy in force was {entry.policy_hash[:12]}."
        points.append(Point(key="policy", text=text, remedy=""))
    points.append(Point(key="head", text=f"The head of the chain after it is {entry.head}.", remedy=""))
    readings = tuple(
        Point(
            key=gate.name,
            text=f"{gate.name} {'passed' if gate.passes else 'did not pass'}: {gate.value} (target: {gate.target}).",
            remedy="",
            passes=gate.passes,
        )
        for gate in entry.gates
    )
    headline = _sentence(f"At {stamp(entry.at_ms)} {entry.who} {entry.text}")
    return Explanation(seq=entry.seq, at_ms=entry.at_ms, headline=headline, points=tuple(points), gates=readings)


def _share(rung: Rung) -> str:
    return f"{100 * rung.share_ppm / PPM:g} %"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
