"""Made-up views of the demo's world, in which its page is tested."""

from typing import Any

import msgspec

from sidecar import wording
from sidecar.console.status import GateStatus, IndicatorStatus, gate_status
from sidecar.core.decision.gates import Gate
from sidecar.core.facts.policy import Mode, Rung
from sidecar.core.facts.reports import Flow
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.release.comparison import Comparison, Measured
from sidecar.demo.world.switches import SWITCHES, Key
from sidecar.demo.world.view import Counts, Event, FlagView, PayerView, StoryStep, SwitchView, WorldUrls, WorldView

NOW_MS = 1_795_000_000_000
LADDER = (
    Rung(mode=Mode.TIMER_POLLING, soak_ms=10_000),
    Rung(mode=Mode.PUSH_WITH_SAFETY_NET, share_ppm=500_000, soak_ms=15_000),
    Rung(mode=Mode.PUSH_WITH_SAFETY_NET, soak_ms=15_000),
    Rung(mode=Mode.PUSH_ONLY, approval_required=True),
)
_STEPS = (
    ("watch", "Watch", "Each payment is followed to its payer's browser.", "the bars of the gates grow"),
    (
        "climb",
        "Climb",
        "Enough clean payments prove that push is reliable.",
        "push, with a safety net, for half of the payers",
    ),
    ("break", "Break", "Reverb hangs.", "round trips fail within half a minute"),
    ("suspension", "Suspended", "The cause was Reverb itself.", "timers for a while, and the rung is kept"),
    ("fall", "Fall", "The queue is slow, and payments are late.", "the bottom rung"),
    (
        "recover",
        "Recover",
        "The queue is fast again, and the earlier proof no longer counts.",
        "it climbs again, with more proof",
    ),
    ("remove", "Remove the timers", "Push without timers was proven.", "the top of the ladder"),
)


def story(done: int, *, is_running: bool = True) -> tuple[StoryStep, ...]:
    """Return the story after this number of steps."""
    return tuple(
        StoryStep(
            key=key,
            title=title,
            text=text,
            expect=expect,
            is_done=index < done,
            is_current=is_running and index == done,
            done_ms=NOW_MS if index < done else None,
        )
        for index, (key, title, text, expect) in enumerate(_STEPS)
    )


def switches(on: Key | None = None, *, came_after_ms: int | None = None) -> tuple[SwitchView, ...]:
    """Return all switches, one of them turned on eight seconds ago."""
    turned_ms = NOW_MS - 8_000
    return tuple(
        SwitchView(
            **msgspec.structs.asdict(each),
            is_on=each.key == on,
            turned_ms=turned_ms if each.key == on else None,
            came_ms=turned_ms + came_after_ms if each.key == on and came_after_ms is not None else None,
            came="an alarm, and timers for everybody" if each.key == on and came_after_ms is not None else "",
        )
        for each in SWITCHES
    )


def _gate(**reading: Any) -> GateStatus:
    return gate_status(Gate(**reading))


def gates(good: int, *, is_closed: bool = True) -> tuple[GateStatus, ...]:
    """Return the gates of the next rung."""
    return (
        _gate(name="alarm", value="none", target="none latched", passes=True),
        _gate(name="suspension", value="none", target="none", passes=True),
        _gate(name="isolation", value="refused", target="refused", passes=True),
        _gate(name="hold", value="none", target="none", passes=True),
        _gate(name="cooldown", value="over", target="over", passes=True),
        _gate(name="soak", value="7 s", target="10 s", passes=False, progress_ratio=0.7, needs="3 s more on this rung", expected_ms=NOW_MS + 3_000)
        if is_closed
        else _gate(name="soak", value="10 s", target="10 s", passes=True),
        _gate(name="coverage", value=f"{good} of {good}", target="at least 80 %", passes=True),
        _gate(name="evidence_payments", value=f"{good} good, 0 bad in epoch 1", target="proof of 90 %", passes=not is_closed,
             progress_ratio=good / (good + 12) if is_closed else None, needs="12 more clean payments" if is_closed else "", expected_ms=NOW_MS + 14_000 if is_closed else None),
        _gate(name="evidence_round_trips", value="41 good, 0 bad in epoch 1", target="proof of 90 %", passes=True),
        _gate(name="worst_case", value="74.20 %" if is_closed else "88.10 %", target="at least 80 %", passes=not is_closed,
             progress_ratio=74.2 / 80 if is_closed else None, needs="the worst case, with every doubtful payment counted as failed, to reach 0.8" if is_closed else ""),
    )  # fmt: skip


def indicators(
    good: int, *, bad: int = 0, is_latched: bool = False, proven: float = 0.81, epoch: int = 1
) -> tuple[IndicatorStatus, ...]:
    """Return the indicators after this number of payments."""
    return tuple(
        IndicatorStatus(
            name=name,
            label=wording.INDICATORS[name].label,
            epoch=epoch,
            epoch_began_ms=NOW_MS - 60_000,
            awaits_epoch=False,
            good=good,
            bad=bad,
            unmeasured=0,
            is_latched=is_latched,
            target_ratio=0.9,
            lower_bound_ratio=proven,
            worst_case_ratio=proven,
            clean_needed=0 if proven > 0.9 else 12,
        )
        for name in ("payments", "round_trips")
    )


def comparison(judged: int, *, timers: int, push: int) -> Comparison:
    """Return the table."""
    return Comparison(
        timers=Measured(
            worked=timers,
            judged=judged,
            reliability_ratio=timers / judged if judged else None,
            reliability_basis="the booking was committed within 5 s of the payment",
            requests_per_payment=3.0,
            requests_basis=f"measured by payers' browsers, in {judged} payments",
        ),
        push=Measured(
            worked=push,
            judged=judged,
            reliability_ratio=push / judged if judged else None,
            reliability_basis="stage `delivered` in time after the webhook",
            requests_per_payment=1.72,
            requests_basis=f"measured by payers' browsers, in {judged} payments",
            lower_bound_ratio=0.812 if judged else None,
        ),
        rescued_by_poll=1 if judged else 0,
    )


def payers(count: int, mode: Mode, *, waiting: int = 1) -> tuple[PayerView, ...]:
    """Return the last payments; the newest still wait."""
    rows = []
    for number in range(count):
        paid_ms = NOW_MS - 700 * (count - number)
        is_waiting = number >= count - waiting
        is_push = mode is not Mode.TIMER_POLLING
        rows.append(
            PayerView(
                payment=f"pi_demo_{number:06d}",
                user_id=str(100 + number),
                flow=Flow.REDIRECT if number % 3 == 0 else Flow.IN_PAGE,
                mode=mode,
                paid_ms=paid_ms,
                pushed_ms=None if is_waiting else paid_ms + 380,
                cleared_ms=None if is_waiting else paid_ms + (410 if is_push else 2050),
                cleared_by=None if is_waiting else ("push" if is_push else "timer"),
                is_visitor=number == 2,
            )
        )
    return tuple(rows)


def events(count: int) -> tuple[Event, ...]:
    """Return the last events."""
    kinds = (
        ("stripe", "Stripe", "payment_intent.succeeded goes to the app and to the sidecar"),
        ("app", "booking app", "the booking is paid; it broadcasts on the payer's channel"),
        ("reverb", "node 1", "pushes to the payer's browser and to the observers"),
        ("browser", "payer 104", "a push: refetches, and finds it paid"),
        ("sidecar", "sidecar", "judged: on time"),
    )
    return tuple(
        Event(at_ms=NOW_MS - 130 * (count - index), kind=kind, who=who, text=text, payment=f"pi_demo_{index // 5:06d}")
        for index in range(count)
        for kind, who, text in (kinds[index % len(kinds)],)
    )


_EMPTY = WorldView(
    now_ms=NOW_MS,
    speed=1,
    is_story=False,
    story=story(0, is_running=False),
    flag=FlagView(mode=Mode.TIMER_POLLING, reason="bottom_rung", share_ppm=1_000_000, rung=0, ladder=LADDER, version=1),
    gates=gates(0),
    indicators=indicators(0, proven=0.0),
    comparison=comparison(0, timers=0, push=0),
    events=(),
    payers=(),
    switches=switches(),
    counts=Counts(payments=0, cleared=0, waiting=0, webhooks=0, broadcasts=0, reports=0),
    urls=WorldUrls(public="http://127.0.0.1:1", operator="http://127.0.0.1:1/", page="/", payer="/payer"),
)


def _flag(mode: Mode, reason: str, rung: int, **more: Any) -> FlagView:
    return msgspec.structs.replace(_EMPTY.flag, mode=mode, reason=reason, rung=rung, version=rung + 1, **more)


_BUSY = msgspec.structs.replace(_EMPTY, events=events(40), comparison=comparison(142, timers=128, push=142))

STATES = {
    "empty": _EMPTY,
    "climbing": msgspec.structs.replace(
        _BUSY, gates=gates(31), indicators=indicators(31), payers=payers(12, Mode.TIMER_POLLING, waiting=3), is_story=True, story=story(1)
    ),
    "push": msgspec.structs.replace(
        _BUSY,
        flag=_flag(Mode.PUSH_WITH_SAFETY_NET, "current_rung", 1, share_ppm=500_000),
        gates=gates(140, is_closed=False),
        indicators=indicators(140, proven=0.961),
        payers=payers(12, Mode.PUSH_WITH_SAFETY_NET),
        is_story=True,
        story=story(2),
    ),
    "suspended": msgspec.structs.replace(
        _BUSY,
        flag=_flag(Mode.TIMER_POLLING, "suspended", 2, detail=wording.SUSPENSIONS[SuspensionReason.REVERB_UNSTABLE].description),
        gates=(
            _gate(name="alarm", value="round_trips", target="none latched", passes=False, needs="the suspension to end", expected_ms=NOW_MS + 27_000),
            _gate(name="suspension", value="reverb_unstable", target="none", passes=False, needs="27 s without a failed probe", expected_ms=NOW_MS + 27_000),
            *gates(140, is_closed=False)[2:],
        ),
        indicators=indicators(140, bad=3, is_latched=True),
        payers=payers(12, Mode.TIMER_POLLING, waiting=4),
        switches=switches(Key.REVERB_FROZEN, came_after_ms=6_200),
        is_story=True,
        story=story(3),
    ),
    "fallen": msgspec.structs.replace(
        _BUSY,
        flag=_flag(Mode.TIMER_POLLING, "alarm", 0, detail=wording.INDICATORS["payments"].description),
        gates=(
            _gate(name="alarm", value="payments", target="none latched", passes=False, needs="9 clean payments in a row to calm payments"),
            *gates(140)[1:4],
            _gate(name="cooldown", value="18 s left", target="over", passes=False, needs="18 s to pass after the fall", expected_ms=NOW_MS + 18_000),
            *gates(140)[5:],
        ),
        indicators=indicators(12, bad=4, is_latched=True, proven=0.4),
        payers=payers(12, Mode.TIMER_POLLING, waiting=9),
        switches=switches(Key.SLOW_QUEUE),
        is_story=True,
        story=story(4),
    ),
    "killed": msgspec.structs.replace(
        _BUSY,
        flag=_flag(Mode.TIMER_POLLING, "no_sidecar", 2),
        gates=(),
        indicators=(),
        comparison=None,
        payers=payers(12, Mode.TIMER_POLLING),
        switches=switches(Key.SIDECAR_KILLED, came_after_ms=900),
    ),
    "done": msgspec.structs.replace(
        _BUSY,
        flag=_flag(Mode.PUSH_ONLY, "current_rung", 3),
        gates=(),
        indicators=indicators(412, proven=0.983, epoch=2),
        payers=payers(12, Mode.PUSH_ONLY, waiting=0),
        story=story(7, is_running=False),
        speed=5,
    ),
}  # fmt: skip
"""Views that the page must be able to show, by name."""
