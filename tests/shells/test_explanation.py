"""Explanations: in each state a sentence with the cause, and one with the remedy."""

import msgspec
import pytest
from rich.console import Console

from sidecar import wording
from sidecar.console.decisions import Detail, Entry, Kind
from sidecar.console.explanation import Explanation, Point, explain_decision, explain_now
from sidecar.console.explanation_text import print_explanation
from sidecar.core.decision.decide import Action
from sidecar.core.decision.gates import GATES, gates
from sidecar.core.facts.gate_readings import GateReading
from sidecar.core.facts.observations import FallCause
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.facts.windows import Once
from sidecar.core.fold.serving import Reason, Served, served
from sidecar.core.fold.state import State
from tests.core.probed import probed
from tests.core.test_lifecycle import removed
from tests.core.test_policy import SITUATIONS, differ, ready
from tests.core.test_suspension import hiccup, pay_into_nothing
from tests.core.world import DAY, HOUR, LAX, World, on


def explained(world: World, reason: Reason | None = None) -> Explanation:
    """Explain a world; `reason` overrides the reason of the answer."""
    answer = served(world.state, 0) if reason is None else Served(mode=Mode.TIMER_POLLING, reason=reason)
    return explain_now(world.state, answer, now_ms=world.now_ms)


def point(explanation: Explanation, key: str) -> Point:
    """Return the point with this key, which must exist once."""
    (found,) = [each for each in explanation.points if each.key == key]
    return found


def assert_readable(explanation: Explanation) -> None:
    """Check that every text is a sentence."""
    assert explanation.points
    assert explanation.headline.endswith(".")
    for each in (*explanation.points, *explanation.gates):
        assert each.text.endswith((".", "!", "?"))
        assert each.remedy.endswith(".")
        assert "None" not in each.text
        assert "_ms" not in each.text


CAUSES = ("alarm", "suspension", "isolation", "hold", "freeze", "cooldown")
"""Gates that a cause closes, in their order; the others wait for a number."""
_NAMES = {each.value: "suspension" for each in SuspensionReason} | {"attribution": "alarm", "frozen": "freeze"}


@pytest.mark.parametrize(("rung", "what"), [(rung, what) for rung, what, *_ in SITUATIONS if what != "no policy"])
@pytest.mark.parametrize("more", ["nothing", "held", "frozen from 0 until 1", "6 missed"])
def test_an_explanation_and_the_gates_name_the_same_reasons_in_the_same_order(rung: int, what: str, more: str) -> None:
    """Whoever compares `explain` with the gates finds no cause that only one of them has."""
    world = ready(rung)
    for each in (what, more):
        differ(world, each)
    closed = [gate.name for gate in gates(world.state) if not gate.passes and gate.name in CAUSES]
    named = [_NAMES.get(each.key, each.key) for each in explained(world).points]
    is_inactive = {"freeze"} - set(closed)  # a freeze whose window is yet to come is named, and closes nothing
    assert (
        gates(world.state) == ()
        or [name for name in dict.fromkeys(named) if name in CAUSES and name not in is_inactive] == closed
    )


def unwired() -> World:
    """Return a world without any ack."""
    return World(LAX)


def outdated() -> World:
    """Return a world with evidence that was reset after its approval."""
    world = probed(2)
    world.approve(3, 1)
    world.reset()
    return world


def dry() -> World:
    """Return a world in a dry run."""
    world = on(1)
    world.change(dry_run=True)
    return world


def held() -> World:
    """Return a world on hold."""
    world = ready(1)
    world.hold()
    return world


def frozen(from_ms: int = 0) -> World:
    """Return a world with a freeze."""
    world = ready(1)
    world.freeze("term", Once(from_ms=world.now_ms + from_ms, until_ms=world.now_ms + DAY))
    return world


def spoilt(rung: int, what: str) -> World:
    """Return a world that differs in one way from one that is ready to climb."""
    world = ready(rung)
    differ(world, what)
    return world


def unstable() -> World:
    """Return a world with an unstable Reverb."""
    world = probed(1)
    hiccup(world, 20_000)
    return world


def attribution() -> World:
    """Return a world with an alarm that is not attributed yet."""
    world = probed(1)
    while not world.state.indicators["payments"].is_latched:
        pay_into_nothing(world, 1)
    return world


def fallen() -> World:
    """Return a world that has fallen and recovered since."""
    world = on(1)
    world.outage()
    world.good(30)
    return world


def removed_and_fallen() -> World:
    """Return a world without a ladder that has fallen."""
    world = removed()
    world.outage()
    world.good(30)
    return world


# fmt: off
STATES = [
    # state               made by                                  the point       its cause                    what to do
    ("not wired",         unwired,                                 "not_wired",    "No ack of stage `delivered`", "clients/laravel"),
    ("bottom rung",       unwired,                                 "bottom_rung",  "not proven yet",           "gates of the next rung"),
    ("climbing",          lambda: ready(1),                        "climbing",     "is due",                    "passes by itself"),
    ("push served",       lambda: ready(1),                        "current_rung",         "current rung is 1, for 10 %", "what was proven"),
    ("not yet",           lambda: spoilt(1, "soaked 1 ms less"),   "next",         "One gate does not pass for rung 2", "what each"),
    ("held by a person",  held,                                    "hold",         "ann holds the flag since",  "sidecar resume"),
    ("frozen",            frozen,                                  "frozen",       "The freeze term of ann is in force", "sidecar thaw term"),
    ("frozen later",      lambda: frozen(from_ms=HOUR),            "frozen",       "is not in force, begins next at", "passes by itself"),
    ("awaits approval",   lambda: spoilt(2, "not approved"),       "next",         "approval",                  "what each"),
    ("approved, and reset", outdated,                              "approved",     "ann approved rung 3, until", "is void"),
    ("approved early",    lambda: ready(1),                        "approved",     "ann approved rung 3, until", "the climb to that rung uses it"),
    ("Reverb unstable",   unstable,                                "reverb_unstable", "Reverb is unstable",     "sidecar doctor"),
    ("attribution",       attribution,                             "attribution",  "alarm of payments",         "Nothing yet"),
    ("alarm below",       lambda: spoilt(0, "6 missed"),           "alarm",        "alarm of payments",         "sidecar doctor"),
    ("about to fall",     lambda: spoilt(1, "6 missed"),           "falling",      "alarm of payments",         "timers are served already"),
    ("fallen lately",     fallen,                                  "last_move",    "to rung 0, alarm: alarm of payments", "sidecar explain"),
    ("fallen",            fallen,                                  "cooldown",     "After the last fall",       "passes by itself"),
    ("blind for a day",   lambda: spoilt(1, f"silent for {DAY + 1}"), "falling",   "gap of over 24 hours",      "timers are served already"),
    ("a new epoch",       lambda: spoilt(0, "epoch of 7 d 9 bad"), "renew",        "prove sooner",              "passes by itself"),
    ("dry run",           dry,                                     "dry_run",      "made and recorded",                "policy.dry_run: false"),
    ("top",               lambda: ready(3),                        "top",          "top of the ladder",         "docs/removal.md"),
    ("ladder off",        removed,                                 "top",          "lifecycle: removed",        "docs/removal.md"),
    ("ladder off, fallen", removed_and_fallen,                     "bottom_rung",  "not proven yet",           "gates of the next rung"),
]
OF_THIS_PROCESS = [
    (Reason.POLICY_DIFFERS, "not the policy in force",             "--adopt-policy"),
    (Reason.NO_LEASE,       "has not recently proven",               "journal.failed"),
    (Reason.STARTING,       "not caught up",                       "Wait"),
]
# fmt: on


@pytest.mark.parametrize(("state", "made", "key", "cause", "remedy"), STATES)
def test_each_state_has_a_cause_and_a_remedy(state: str, made: object, key: str, cause: str, remedy: str) -> None:
    """Sentences answer "why not yet?", not numbers alone."""
    assert callable(made)
    why = explained(made())
    assert_readable(why)
    found = point(why, key)
    assert (cause in found.text, remedy in found.remedy) == (True, True), (state, found)


@pytest.mark.parametrize("reason", SuspensionReason)
def test_a_suspension_comes_first_with_its_cause_and_remedy(reason: SuspensionReason) -> None:
    """It is the most urgent point."""
    world = ready(1)
    world.state.visibility.suspension = reason
    why = explained(world)
    assert_readable(why)
    first = why.points[0]
    assert (first.key, first.text.startswith("Everybody is served timers: ")) == (reason, True)
    assert "{" not in first.text
    assert wording.SUSPENSIONS[reason].remedy == first.remedy


@pytest.mark.parametrize(("reason", "cause", "remedy"), OF_THIS_PROCESS)
def test_a_problem_of_this_process_comes_first(reason: Reason, cause: str, remedy: str) -> None:
    """The state allows push, and this replica does not serve it."""
    why = explained(ready(1), reason)
    assert_readable(why)
    first = why.points[0]
    assert (first.key, cause in first.text, remedy in first.remedy) == (reason, True, True)
    assert "climbing" not in {each.key for each in why.points}, "this process decides nothing"
    assert "climbing" in {each.key for each in explained(ready(1)).points}


def test_a_refused_policy_has_its_reason() -> None:
    """The operator must change the file of this process."""
    world = ready(1)
    answer = Served(mode=Mode.TIMER_POLLING, reason=Reason.POLICY_DIFFERS)
    why = explain_now(world.state, answer, now_ms=world.now_ms, policy_refused="`lifecycle: removed` is early.")
    assert why.points[0].text.endswith("`lifecycle: removed` is early.")


@pytest.mark.parametrize(
    ("rung", "what", "reason"),
    [(rung, what, reason) for rung, what, action, reason in SITUATIONS if action is Action.STAY],
)
def test_each_gate_that_does_not_pass_has_its_value_need_and_remedy(rung: int, what: str, reason: str) -> None:
    """For every situation in which the flag stays."""
    world = spoilt(rung, what)
    why = explained(world)
    assert_readable(why)
    reported = {each.key: each for each in why.gates}
    assert list(reported) == [gate.name for gate in gates(world.state)]
    for gate in gates(world.state):
        each = reported[gate.name]
        assert (each.passes, gate.value in each.text, each.expected_ms) == (gate.passes, True, gate.expected_ms)
        assert gate.passes or gate.needs in each.text
    if reason in reported:
        assert not reported[reason].passes
        assert reason in why.headline or reason in point(why, "next").text


def test_every_gate_has_a_description_and_a_remedy() -> None:
    """As has every suspension reason."""
    names = {row.name for row in GATES}
    assert names == set(wording.GATES)
    assert all(words.description and words.remedy for words in wording.GATES.values())
    assert set(wording.SUSPENSIONS) == set(SuspensionReason)


def test_the_expected_time_of_a_climb_is_that_of_its_last_gate() -> None:
    """If one gate has no expected time, the climb has none."""
    world = fallen()
    world.good(3)
    expected = [gate.expected_ms for gate in gates(world.state) if not gate.passes]
    assert None in expected
    assert point(explained(world), "next").expected_ms is None
    world = frozen()
    world.state.flag.soaked_ms = 0
    closed = [gate.expected_ms for gate in gates(world.state) if not gate.passes]
    assert len(closed) == 2
    assert point(explained(world), "next").expected_ms == world.state.flag.freezes[0].expires_ms


def test_there_is_an_explanation_before_the_first_policy() -> None:
    """In the first second of a process."""
    answer = Served(mode=Mode.TIMER_POLLING, reason=Reason.STARTING)
    why = explain_now(State(), answer, now_ms=1)
    assert_readable(why)
    assert why.points[0].key == "starting"


# --- a decision


def entry(**fields: object) -> Entry:
    """Return an entry."""
    basic = Entry(
        seq=7,
        at_ms=1_800_000_000_000,
        kind=Kind.DECISION,
        what="climbed",
        who="a-1",
        reason="",
        text="x",
        head="ab" * 32,
    )
    return msgspec.structs.replace(basic, **fields)


def test_a_climb_is_explained_by_its_gates() -> None:
    """With the head of the chain."""
    said = (GateReading(name="soak", value="72 h", target="72 h", passes=True),)
    climbed = entry(text="climbed to rung 1", gates=said, policy_hash="cd" * 32)
    why = explain_decision(Detail(entry=climbed, policy=None))
    assert why.headline == "At 2027-01-15 08:00 UTC a-1 climbed to rung 1."
    assert [each.text for each in why.gates] == ["soak passed: 72 h (target: 72 h)."]
    assert point(why, "policy").text == "The policy in force was cdcdcdcdcdcd."
    assert "abab" in point(why, "head").text


def test_a_climb_without_effect_is_marked() -> None:
    """The flag had changed since the decision."""
    why = explain_decision(Detail(entry=entry(is_in_force=False), policy=None))
    assert "had no effect" in point(why, "ignored").text
    assert [each.key for each in explain_decision(Detail(entry=entry(), policy=None)).points] == ["climbed", "head"]


def test_a_fall_and_an_action_have_their_reason() -> None:
    """As recorded."""
    fell = entry(what="fell", cause=FallCause.ALARM, reason="alarm of reach")
    assert point(explain_decision(Detail(entry=fell, policy=None)), "reason").text == "The observation: alarm of reach."
    word = entry(kind=Kind.ACTION, what="held", who="ada", reason="launch!")
    assert point(explain_decision(Detail(entry=word, policy=None)), "reason").text.endswith("in the record: launch!")


def test_an_explanation_is_printed_completely() -> None:
    """Markup in texts is escaped."""
    world = ready(1)
    world.state.flag.soaked_ms = 0
    world.hold()
    (hold,) = world.state.flag.holds
    world.state.flag.holds = [msgspec.structs.replace(hold, reason="[bold]launch[/]")]
    console = Console(width=200, highlight=False)
    with console.capture() as capture:
        print_explanation(console, explained(world))
    text = capture.get()
    assert "[bold]launch[/]" in text
    for each in explained(world).gates:
        assert each.text.split(":")[0] in text
