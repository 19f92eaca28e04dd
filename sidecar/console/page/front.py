"""What is served now, to whom and why: the first of the two answers that must be read within a second."""

import enum

import msgspec

from sidecar.console import labels as words
from sidecar.console.labels import Moment, moment
from sidecar.console.status import Status
from sidecar.core.decision.gates import duration
from sidecar.core.facts.policy import PPM, Lifecycle, Mode, Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold import freezes
from sidecar.core.fold.serving import Reason
from sidecar.core.fold.serving import Served as Answered
from sidecar.core.fold.state import State


class Tone(enum.StrEnum):
    """How something is meant. Each has a colour, a shape and a word, and none is told by colour alone."""

    GOOD = "good"
    CALM = "calm"
    """As it should be, and nothing to be proud of."""
    WAIT = "wait"
    """It will be, or may be; nobody need do anything."""
    BAD = "bad"
    BLIND = "blind"
    """Nobody can say."""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the users, and what they are served."""

    mode: Mode
    name: str
    share_ppm: int
    from_ppm: int
    """Where it begins, in the bar that all slices make."""

    @property
    def share(self) -> str:
        """The share in words."""
        return f"{100 * self.share_ppm / PPM:g} %"


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A name and what it is."""

    name: str
    value: str
    moment: Moment | None = None
    """Said instead of the value, as a time."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What is served now."""

    tone: Tone
    mode: Mode
    headline: str
    audience: str
    why: str
    slices: tuple[Slice, ...]
    facts: tuple[Fact, ...]

    @property
    def said(self) -> str:
        """The whole in one sentence, for who hears the page: it is said anew when it changes, and only then."""
        return f"Served now: {self.headline}, {self.audience}. {self.why}"


_TONES = {
    Reason.CURRENT_RUNG: Tone.GOOD,
    Reason.BOTTOM_RUNG: Tone.CALM,
    Reason.OUTSIDE_SHARE: Tone.CALM,
    Reason.NO_TARGETING_KEY: Tone.CALM,
    Reason.ALARM: Tone.BAD,
    Reason.SUSPENDED: Tone.BLIND,
    Reason.DRY_RUN: Tone.CALM,
    Reason.STARTING: Tone.BLIND,
    Reason.NO_LEASE: Tone.BLIND,
    Reason.POLICY_DIFFERS: Tone.BLIND,
}

_SUSPENSIONS = {
    SuspensionReason.REVERB_UNSTABLE: "Reverb is unstable. Push resumes once its probes are clean for a while.",
    SuspensionReason.RECOVERING: "The sidecar could not see for a while, and has not seen for long enough since.",
    SuspensionReason.SOURCE_DOWN: "One of the sidecar's own sources has not answered for longer than a lease.",
    SuspensionReason.COVERAGE: "Too few payments can be judged.",
    SuspensionReason.UNMEASURED: "The last payments could not be judged, through the sidecar's own fault.",
    SuspensionReason.CUT_OFF: "Neither Reverb nor the app nor the reference can be reached: the network is to blame.",
    SuspensionReason.PROBES_SILENT: "No probe of Reverb has ended for far longer than they take.",
    SuspensionReason.UNWIRED: "No ack of the deciding stage has ever come, so push would be served unmeasured.",
}


def _tone(answer: Answered) -> Tone:
    return Tone.WAIT if answer.suspension is SuspensionReason.REVERB_UNSTABLE else _TONES[answer.reason]


def suspension_text(reason: SuspensionReason) -> str:
    """Return why push is suspended, as a sentence."""
    return _SUSPENSIONS[reason]


def served_now(status: Status, state: State) -> Served:
    """Return what is served now, and why."""
    policy, answer = _policy(state), status.served
    slices = _slices(policy, state.flag.rung if answer.reason is Reason.CURRENT_RUNG else 0)
    fallen = _fallen(status) if answer.reason in {Reason.BOTTOM_RUNG, Reason.ALARM} else ""
    return Served(
        tone=Tone.BAD if fallen else _tone(answer),
        mode=answer.mode,
        headline=words.MODES[answer.mode],
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
            own = Slice(mode=each.mode, name=words.MODES[each.mode], share_ppm=each.share_ppm - taken, from_ppm=taken)
            slices.append(own)
            taken = each.share_ppm
    return tuple(slices)


def _audience(slices: tuple[Slice, ...]) -> str:
    first, *others = slices
    if not others:
        return "for everybody"
    rest = words.joined([f"{each.name.lower()} for {each.share}" for each in others])
    return f"for {first.share} of users; {rest}"


def _why(status: Status, state: State, policy: Policy) -> str:
    match status.served.reason:
        case Reason.CURRENT_RUNG:
            return _held(status)
        case Reason.ALARM:
            return f"Alarm: {words.joined([words.name(each) for each in status.alarms])}."
        case Reason.SUSPENDED:
            reason = status.served.suspension
            return f"Suspended: {_SUSPENSIONS[reason]}" if reason else "Suspended."
        case Reason.DRY_RUN:
            return f"Dry run: all is decided and recorded, and nobody is served it. It would be {_would_be(status)}."
        case Reason.NO_LEASE:
            return "This replica has not lately proven that it can write and read its journal."
        case Reason.POLICY_DIFFERS:
            return "This replica's configuration is not the policy in force."
        case Reason.STARTING:
            return "This replica has not caught up with its journal yet."
        case _:
            return _at_the_bottom(status, state, policy)


def _at_the_bottom(status: Status, state: State, policy: Policy) -> str:
    last = status.moves[-1] if status.moves else None
    if state.wired_ms is None:
        return f"Not wired: no ack of stage {policy.stage} has ever come, so nothing can be judged."
    if last is not None and last.to_rung == 0:
        ago = words.distance(last.at_ms, status.now_ms)
        return f"The bottom rung, reached {ago}: {words.name(last.cause)}, {last.detail}."
    return "The bottom rung: push has not been proven yet."


def _held(status: Status) -> str:
    if status.lifecycle is Lifecycle.REMOVED:
        return "The ladder is off, and nothing speaks against push."
    is_top = status.rung + 1 == len(status.ladder)
    return "The top of the ladder is held." if is_top else f"Rung {status.rung} of the ladder is held."


def _would_be(status: Status) -> str:
    held = status.ladder[status.rung]
    return words.rung(held).lower()


def _fallen(status: Status) -> str:
    """Return why the flag fell, while the cool-down lasts; empty: it did not."""
    if status.rung or status.cooldown_until_ms <= status.now_ms:
        return ""
    fall = next((move for move in reversed(status.moves) if move.to_rung == 0), None)
    if fall is None:
        return ""
    ago = words.distance(fall.at_ms, status.now_ms)
    return f"Fell from rung {fall.from_rung}, {ago}: {fall.detail}."


def _facts(status: Status, state: State, policy: Policy) -> tuple[Fact, ...]:
    answer = status.served
    since_ms = status.suspensions[0].began_ms if status.suspensions else status.since_ms
    held = f"rung {status.rung} of {len(status.ladder) - 1}: {words.rung(status.ladder[status.rung])}"
    is_leased = answer.mode is not Mode.TIMER_POLLING
    left = f"{status.lease_remaining_s:.0f} s left of {duration(policy.lease_ms)}"
    return (
        Fact(name="Environment", value=status.environment),
        Fact(name="Held", value=held),
        Fact(
            name="Suspended since" if status.suspensions else "Since", value="", moment=moment(since_ms, status.now_ms)
        ),
        Fact(name="Lease", value=left if is_leased or status.lease_remaining_s else "none; timers need none"),
        Fact(name="Posture", value=posture(status, state)),
    )


def posture(status: Status, state: State) -> str:
    """Return what the sidecar would do by itself now."""
    hold, reason = status.hold, status.verdict.partition(": ")[2]
    if status.served.reason is Reason.POLICY_DIFFERS:
        return "decides nothing, because its file is not the policy in force"
    if hold is not None:
        return f"held by {hold.actor}, who wrote: {hold.reason}"
    if status.cooldown_until_ms > status.now_ms:
        return "cools down after a fall"
    if status.suspensions:
        return f"suspended: {status.suspensions[0].reason.replace('_', ' ')}"
    if status.rung + 1 == len(status.ladder):
        return "at the top; watches, and falls by itself"
    frozen = freezes.in_force(state)
    if frozen:
        return f"frozen: {frozen[0].name}, by {frozen[0].actor}, who wrote: {frozen[0].reason}"
    if reason == "approval":
        return "waits for a person's approval"
    return "climbs by itself once proven, and falls by itself"
