"""Freeze windows: when they forbid climbing, when they let go by themselves, and that no climb slips through."""

import pytest

from sidecar.core.decision.decide import decide
from sidecar.core.decision.gates import Gate, gates
from sidecar.core.facts.observations import Climbed
from sidecar.core.facts.operator_actions import Noted, Thawed
from sidecar.core.facts.windows import Once, Weekly, next_begin_ms, span_at
from sidecar.core.fold import freezes
from sidecar.core.fold.conclusions import ClimbIgnored
from sidecar.core.fold.fold import next_deadline
from tests.core.world import DAY, HOUR, MINUTE, SECOND, START_MS, World, decided, on

FRIDAY = 1_799_971_200_000
"""2027-01-15 00:00 UTC, a Friday; `START_MS` is eight hours later."""
WEEK = 7 * DAY
WEEKEND = Weekly(days=(4,), from_minute=17 * 60, lasts_minutes=63 * 60, utc_offset_minutes=0)
"""From Friday 17:00 to Monday 08:00."""


def gate(world: World) -> Gate:
    """Return the gate."""
    return next(each for each in gates(world.state) if each.name == "freeze")


# fmt: off
WEEKLY = [
    # days        from       lasts     offset   asked at              in it since            until
    ((4,),        17 * 60,   63 * 60,  0,       17 * HOUR - 1,        None,                  None),
    ((4,),        17 * 60,   63 * 60,  0,       17 * HOUR,            17 * HOUR,             3 * DAY + 8 * HOUR),
    ((4,),        17 * 60,   63 * 60,  0,       3 * DAY + 8 * HOUR - 1, 17 * HOUR,           3 * DAY + 8 * HOUR),
    ((4,),        17 * 60,   63 * 60,  0,       3 * DAY + 8 * HOUR,   None,                  None),
    ((4,),        17 * 60,   63 * 60,  60,      16 * HOUR,            16 * HOUR,             3 * DAY + 7 * HOUR),
    ((4,),        17 * 60,   63 * 60,  -330,    17 * HOUR,            None,                  None),
    ((4,),        17 * 60,   63 * 60,  -330,    22.5 * HOUR,          22.5 * HOUR,           3 * DAY + 13.5 * HOUR),
    ((4,),        0,         60,       840,     -14 * HOUR,           -14 * HOUR,            -13 * HOUR),
    ((5, 6),      0,         24 * 60,  0,       1 * DAY,              1 * DAY,               2 * DAY),
    ((5, 6),      0,         24 * 60,  0,       2 * DAY,              2 * DAY,               3 * DAY),
    ((5, 6),      0,         24 * 60,  0,       3 * DAY,              None,                  None),
    ((6,),        23 * 60,   120,      0,       3 * DAY + 30 * MINUTE, 2 * DAY + 23 * HOUR,  3 * DAY + 1 * HOUR),
    ((4, 5),      0,         48 * 60,  0,       1 * DAY + 1 * HOUR,   0,                     3 * DAY),
    ((0,),        0,         7 * 24 * 60, 0,    0,                    -4 * DAY,              3 * DAY),
]
# fmt: on


@pytest.mark.parametrize(("days", "from_minute", "lasts", "offset", "at", "since", "until"), WEEKLY)
def test_a_weekly_window_is_half_open_and_goes_by_its_own_clock(
    *,
    days: tuple[int, ...],
    from_minute: int,
    lasts: int,
    offset: int,
    at: float,
    since: float | None,
    until: float | None,
) -> None:
    """Times are from Friday 00:00 UTC. It may go over midnight, over Sunday, and over another that it meets."""
    window = Weekly(days=days, from_minute=from_minute, lasts_minutes=lasts, utc_offset_minutes=offset)
    for weeks in (-1, 0, 30):
        origin = FRIDAY + weeks * WEEK
        expected = None if since is None or until is None else (origin + int(since), origin + int(until))
        assert span_at(window, origin + int(at)) == expected


def test_the_next_window_of_a_week_may_be_next_weeks() -> None:
    """On Friday at noon it is today's, in the window and after it next Friday's."""
    begin = FRIDAY + 17 * HOUR
    assert [next_begin_ms(WEEKEND, at) for at in (FRIDAY, begin - 1)] == [begin, begin]
    assert [next_begin_ms(WEEKEND, at) for at in (begin, FRIDAY + 4 * DAY)] == [begin + WEEK, begin + WEEK]
    once = Once(from_ms=FRIDAY, until_ms=FRIDAY + DAY)
    assert [next_begin_ms(once, at) for at in (FRIDAY - 1, FRIDAY)] == [FRIDAY, None]


def about_to_climb() -> World:
    """Return a world in which the climb onto the second rung is due."""
    world = on(1)
    world.decides = False
    world.good(40)
    decided(world, Climbed)
    return world


def test_a_freeze_forbids_climbing_and_never_falling() -> None:
    """Somebody who freezes the start of term must not freeze the way back."""
    world = on(1)
    world.freeze("term", Once(from_ms=world.now_ms, until_ms=world.now_ms + 1 * DAY))
    world.good(60)
    assert (world.state.flag.rung, decide(world.state, "a").reason) == (1, "freeze")
    world.outage()
    assert world.state.flag.rung == 0


def test_the_gate_names_whose_freeze_it_is_and_when_it_opens() -> None:
    """A gate that said `frozen` would send people round to ask by whom."""
    world = about_to_climb()
    until_ms = world.now_ms + 1 * DAY
    world.freeze("term", Once(from_ms=world.now_ms, until_ms=until_ms))
    closed = gate(world)
    assert (closed.value, closed.passes, closed.expected_ms) == ("term, by ann: pupils return", False, until_ms)
    assert closed.needs == "the freeze to end in 1 d, or `sidecar thaw term --reason '...'`"
    world.see(Thawed(actor="bob", reason="all is quiet", name="term"))
    assert (gate(world).value, gate(world).needs, gate(world).expected_ms) == ("none", "", None)


def test_windows_that_meet_open_when_the_last_of_them_ends() -> None:
    """Saturday's end is no opening where Sunday is frozen too, nor is Sunday's where the term starts on Monday."""
    world = about_to_climb()
    world.now_ms = FRIDAY + 36 * HOUR
    days = Weekly(days=(5, 6), from_minute=0, lasts_minutes=24 * 60, utc_offset_minutes=0)
    world.freeze("weekend", days)
    world.freeze("term", Once(from_ms=FRIDAY + 3 * DAY, until_ms=FRIDAY + 5 * DAY))
    assert gate(world).expected_ms == FRIDAY + 5 * DAY
    assert gate(world).value == "weekend, by ann: pupils return"


def test_a_whole_week_opens_only_when_it_expires() -> None:
    """Windows that meet for ever would be counted for ever."""
    world = about_to_climb()
    world.freeze("term", Weekly(days=(0, 3), from_minute=0, lasts_minutes=4 * 24 * 60, utc_offset_minutes=0))
    assert gate(world).expected_ms == world.now_ms + 30 * DAY


def test_time_alone_ends_a_freeze_and_the_climb_that_waited_is_taken() -> None:
    """Nobody should have to thaw on a Monday morning at eight."""
    world = about_to_climb()
    until_ms = world.now_ms + 1 * MINUTE
    world.freeze("term", Once(from_ms=world.now_ms, until_ms=until_ms))
    assert next_deadline(world.state) is not None
    world.decides = True
    world.wait(1 * MINUTE - 1)
    assert (world.state.flag.rung, len(world.state.flag.freezes)) == (1, 1)
    world.wait(1)
    assert (world.state.flag.rung, world.state.flag.freezes) == (2, [])


def test_a_weekly_freeze_goes_when_it_expires_and_returns_until_then() -> None:
    """Its owner may be gone by next year; the freeze must be too."""
    world = about_to_climb()
    world.now_ms = FRIDAY + 16 * HOUR
    world.freeze("term", WEEKEND, lasts_ms=WEEK + 2 * HOUR)
    seen = []
    for at_ms in (17 * HOUR - 1, 17 * HOUR, 4 * DAY, WEEK + 17 * HOUR, WEEK + 18 * HOUR - 1, WEEK + 18 * HOUR):
        world.now_ms = FRIDAY + at_ms
        world.beat()
        seen.append((gate(world).passes, len(world.state.flag.freezes)))
    assert seen == [(True, 1), (False, 1), (True, 1), (False, 1), (False, 1), (True, 0)]


def test_a_climb_that_was_decided_before_a_window_began_is_ignored_in_it() -> None:
    """Decided at 16:59:59.999 by a replica whose disk was slow: at 17:00 it must not climb."""
    world = about_to_climb()
    begin_ms = world.now_ms + 10 * SECOND
    world.freeze("term", Once(from_ms=begin_ms, until_ms=begin_ms + DAY))
    world.now_ms = begin_ms - 1
    world.beat()
    climb = decided(world, Climbed)
    world.now_ms = begin_ms
    world.append(climb)
    assert world.state.flag.rung == 1
    assert isinstance(world.last(ClimbIgnored), ClimbIgnored)


def test_a_climb_that_was_decided_before_the_freeze_was_said_is_ignored() -> None:
    """A late replica cannot undo what a person said."""
    world = about_to_climb()
    climb = decided(world, Climbed)
    world.freeze("term", Once(from_ms=world.now_ms, until_ms=world.now_ms + DAY))
    world.append(climb)
    assert world.state.flag.rung == 1


def test_time_alone_wakes_the_fold_at_every_edge() -> None:
    """A window that began silent_sources would let a climb through; one that ended silent_sources would keep it waiting."""
    world = about_to_climb()
    world.now_ms = FRIDAY + 16 * HOUR
    world.beat()
    assert freezes.next_ms(world.state) is None
    world.freeze("term", WEEKEND)
    begin_ms, end_ms = FRIDAY + 17 * HOUR, FRIDAY + 3 * DAY + 8 * HOUR
    expires_ms = world.state.flag.freezes[0].expires_ms
    seen = []
    for at_ms in (begin_ms - 1, begin_ms, end_ms - 1, end_ms, expires_ms - 1, expires_ms):
        world.now_ms = at_ms
        world.beat()
        seen.append(freezes.next_ms(world.state))
    assert seen == [begin_ms, end_ms, end_ms, begin_ms + WEEK, expires_ms, None]
    world.freeze("term", Once(from_ms=world.now_ms + 1, until_ms=world.now_ms + DAY))
    deadline_ms = next_deadline(world.state)
    assert deadline_ms is not None
    assert deadline_ms <= world.now_ms + 1


def test_a_freeze_of_the_same_name_takes_its_place() -> None:
    """Two of one name could not be thawed one by one."""
    world = on(1)
    world.freeze("term", WEEKEND)
    world.freeze("term", Once(from_ms=world.now_ms, until_ms=world.now_ms + DAY), reason="other")
    assert [(each.name, each.reason) for each in world.state.flag.freezes] == [("term", "other")]


def test_there_are_at_most_twenty_freezes_none_over_and_none_for_longer_than_400_days() -> None:
    """What people forget must not pile up; and a freeze that is over before it begins is none."""
    world = on(1)
    world.freeze("over", Once(from_ms=world.now_ms - DAY, until_ms=world.now_ms))
    for number in range(freezes.FREEZES_MAX + 1):
        world.freeze(f"f{number}", WEEKEND, lasts_ms=1000 * DAY)
    assert [each.name for each in world.state.flag.freezes] == [f"f{number}" for number in range(20)]
    assert {each.expires_ms for each in world.state.flag.freezes} == {world.now_ms + 400 * DAY}
    world.freeze("f3", WEEKEND, reason="renewed")
    assert len(world.state.flag.freezes) == 20


def test_a_note_changes_nothing() -> None:
    """It is for the record, and for the gate that counts payments since a release."""
    world = about_to_climb()
    versions = (world.state.flag.version, world.state.flag.guard_version)
    world.see(Noted(actor="ann", text="new booking form", release="2027.1"))
    assert (world.state.flag.version, world.state.flag.guard_version) == versions
    decided(world, Climbed)


def test_the_week_begins_where_the_calendar_says() -> None:
    """`START_MS` is 2027-01-15 08:00 UTC, a Friday, by any calendar."""
    assert START_MS == FRIDAY + 8 * HOUR
