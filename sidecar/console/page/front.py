"""The first answer of the console: what is served now, to whom, and why."""

import msgspec

from sidecar.console import labels
from sidecar.console.labels import moment
from sidecar.console.overrides import described
from sidecar.console.page.section import Fact, Tone
from sidecar.console.status import Status
from sidecar.core.decision.gates import duration
from sidecar.core.facts.policy import PPM, Lifecycle, Mode, Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold import freezes
from sidecar.core.fold.holds import by_whom
from sidecar.core.fold.serving import Reason
from sidecar.core.fold.serving import Served as Answered
from sidecar.core.fold.state import State
from sidecar.wording import INDICATORS, MODES, REASONS, SUSPENSIONS


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the users, and what they are served."""

    mode: Mode
    name: str
    share_ppm: int
    from_ppm: int
    """Where it begins in the bar of all slices."""

    @property
    def share(self) -> str:
        """The share in words."""
        return f"{100 * self.share_ppm / PPM:g} %"


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What is served now."""

    tone: Tone
    mode: Mode
    headline: str
    audience: str
    why: str
    slices: tuple[Slice, ...]
    facts: tuple[Fact, ...]


_TONES = {
    Reason.CURRENT_RUNG: Tone.GOOD,
    Reason.BOTTOM_RUNG: Tone.CALM,
    Reason.OUTSIDE_SHARE: Tone.CALM,
    Reason.NO_TARGETING_KEY: Tone.CALM,
    Reason.ALARM: Tone.BAD,
    Reason.SUSPENDED: Tone.BLIND,
    Reason.OVERRIDE: Tone.WAIT,
    Reason.DRY_RUN: Tone.CALM,
    Reason.STARTING: Tone.BLIND,
    Reason.NO_LEASE: Tone.BLIND,
    Reason.POLICY_DIFFERS: Tone.BLIND,
}


def _tone(answer: Answered) -> Tone:
    return Tone.WAIT if answer.suspension is SuspensionReason.REVERB_UNSTABLE else _TONES[answer.reason]


def served_now(status: Status, state: State) -> Served:
    """Return what is served now, and why."""
    policy, answer = _policy(state), status.served
    slices = _slices(policy, state.flag.rung if answer.reason is Reason.CURRENT_RUNG else 0)
    fallen = _fallen(status) if answer.reason in {Reason.BOTTOM_RUNG, Reason.ALARM} else ""
    return Served(
        tone=Tone.BAD if fallen else _tone(answer),
        mode=answer.mode,
        headline=MODES[answer.mode].label,
        audience=_audience(slices),
        why=fallen or _why(status, state, policy),
        slices=slices,
        facts=_facts(status, state, policy),
    )


def _policy(state: State) -> Policy:
    assert state.policy is not None  # noqa: S101 - without one there is no status
    return state.policy


def _slices(policy: Policy, rung: int) -> tuple[Slice, ...]:
    """Return who is served what, the best mode first: a smaller share belongs to every larger one."""
    slices: list[Slice] = []
    taken = 0
    for each in reversed(policy.ladder[: rung + 1]):
        if each.share_ppm > taken:
            own = Slice(mode=each.mode, name=MODES[each.mode].label, share_ppm=each.share_ppm - taken, from_ppm=taken)
            slices.append(own)
            taken = each.share_ppm
    return tuple(slices)


def _audience(slices: tuple[Slice, ...]) -> str:
    first, *others = slices
    if not others:
        return "for everybody"
    rest = labels.joined([f"{each.name.lower()} for {each.share}" for each in others])
    return f"for {first.share} of users; {rest}"


def _why(status: Status, state: State, policy: Policy) -> str:
    words = REASONS[status.served.reason]
    match status.served.reason:
        case Reason.CURRENT_RUNG:
            return _current(status)
        case Reason.ALARM:
            return f"Alarm: {labels.joined([labels.lowered(INDICATORS[each].label) for each in status.alarms])}."
        case Reason.SUSPENDED:
            return _suspended(status)
        case Reason.DRY_RUN:
            would_be = labels.rung(status.ladder[status.rung]).lower()
            return f"Dry run: {words.clause}. Without it: {would_be}."
        case Reason.NO_LEASE | Reason.POLICY_DIFFERS | Reason.STARTING:
            return words.description
        case _:
            return _at_the_bottom(status, state, policy)


def _current(status: Status) -> str:
    if status.lifecycle is Lifecycle.REMOVED:
        return "The ladder is off, and push is served while nothing fails."
    is_top = status.rung + 1 == len(status.ladder)
    return f"Rung {status.rung} is the {'top of the ladder' if is_top else 'current rung'}, and no alarm is raised."


def _suspended(status: Status) -> str:
    if not status.suspensions:
        return REASONS[Reason.SUSPENDED].description
    each = status.suspensions[0]
    text = f"Suspended: {SUSPENSIONS[each.reason].description}"
    if each.reason is SuspensionReason.REVERB_UNSTABLE and each.until_ms is not None:
        left = duration(max(0, each.until_ms - status.now_ms))
        return f"Suspended: Reverb is unstable. Push resumes in {left} if no probe fails before; the rung is kept."
    return text


def _at_the_bottom(status: Status, state: State, policy: Policy) -> str:
    last = status.moves[-1] if status.moves else None
    if state.wired_ms is None:
        return f"Not wired: no ack of stage {policy.stage} has matched a payment yet, so none can be judged."
    if last is not None and last.to_rung == 0:
        ago = labels.distance(last.at_ms, status.now_ms)
        return f"The bottom rung, reached {ago}: {labels.name(last.cause)}, {last.detail}."
    return "The bottom rung: push is not proven yet."


def _fallen(status: Status) -> str:
    """Return why the flag fell, during the cool-down; empty: it did not."""
    if status.rung or status.cooldown_until_ms <= status.now_ms:
        return ""
    fall = next((move for move in reversed(status.moves) if move.to_rung == 0), None)
    if fall is None:
        return ""
    ago = labels.distance(fall.at_ms, status.now_ms)
    return f"Fell from rung {fall.from_rung}, {ago}: {fall.detail}."


def _facts(status: Status, state: State, policy: Policy) -> tuple[Fact, ...]:
    since_ms = status.suspensions[0].began_ms if status.suspensions else status.since_ms
    is_leased = status.served.mode is not Mode.TIMER_POLLING
    left = f"{status.lease_remaining_s:.0f} s left of {duration(policy.lease_ms)}"
    return (
        Fact(name="Environment", value=status.environment),
        Fact(
            name="Current rung",
            value=f"{status.rung} of {len(status.ladder) - 1}: {labels.rung(status.ladder[status.rung])}",
        ),
        Fact(
            name="Suspended since" if status.suspensions else "Since", value="", moment=moment(since_ms, status.now_ms)
        ),
        Fact(name="Lease", value=left if is_leased or status.lease_remaining_s else "none; timers need none"),
        Fact(name="Controller", value=controller_text(status, state)),
        *(Fact(name=f"Override {each.id}", value=described(each)) for each in status.overrides),
    )


def controller_text(status: Status, state: State) -> str:
    """Return what the controller does without an operator."""
    reason = status.verdict.partition(": ")[2]
    if status.served.reason is Reason.POLICY_DIFFERS:
        return "stopped: the configuration is not the policy in force"
    if status.holds:
        return f"on hold by {by_whom(list(status.holds))}"
    if status.cooldown_until_ms > status.now_ms:
        return "cooling down after a fall"
    if status.suspensions:
        return f"suspended: {labels.lowered(SUSPENSIONS[status.suspensions[0].reason].label)}"
    if status.rung + 1 == len(status.ladder):
        return "at the top; falls automatically"
    frozen = freezes.in_force(state)
    if frozen:
        return f"frozen: {frozen[0].name}, by {frozen[0].actor}: {frozen[0].reason}"
    if reason == "approval":
        return "waits for an approval"
    return "climbs automatically once proven, and falls automatically"
