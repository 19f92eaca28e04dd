"""Only the broadcast after a payment is an ack; the names of the others are shown to whoever has to configure it."""

import pytest

from sidecar.core.facts.event_names import DEFAULT_EVENT, canonical, is_named
from sidecar.probes.other_events import NAMES_MAX, UNCONFIRMED_FROM, OtherEvents
from tests.captures import lines

CLASS = "App\\Events\\LiveRefreshContextsUpdated"

# fmt: off
NAMES = [
    # on the wire,                              configured,                                 the same?
    (CLASS,                                     "LiveRefreshContextsUpdated",               True),
    (CLASS,                                     CLASS,                                      True),
    (CLASS,                                     "\\" + CLASS,                               True),
    (CLASS,                                     "App.Events.LiveRefreshContextsUpdated",    True),
    (CLASS,                                     ".App.Events.LiveRefreshContextsUpdated",   True),
    ("\\" + CLASS,                              CLASS,                                      True),
    ("LiveRefreshContextsUpdated",              "LiveRefreshContextsUpdated",               True),
    ("LiveRefreshContextsUpdated",              CLASS,                                      False),
    ("booking.paid",                            "booking.paid",                             True),
    ("booking.paid",                            ".booking.paid",                            True),
    ("booking.paid",                            "paid",                                     True),
    ("Domain\\Live\\LiveRefreshContextsUpdated", "LiveRefreshContextsUpdated",              True),
    ("Domain\\Live\\LiveRefreshContextsUpdated", CLASS,                                     False),
    (CLASS,                                     "Events\\LiveRefreshContextsUpdated",       False),
    ("App\\Events\\OtherLiveRefreshContextsUpdated", "LiveRefreshContextsUpdated",          False),
    ("App\\Events\\LiveRefreshContextsUpdatedV2", "LiveRefreshContextsUpdated",             False),
    ("App\\Events\\liverefreshcontextsupdated", "LiveRefreshContextsUpdated",               False),
    ("",                                        "LiveRefreshContextsUpdated",               False),
]
# fmt: on


@pytest.mark.parametrize(("sent", "configured", "expected"), NAMES)
def test_an_event_is_the_configured_one_by_its_whole_name_or_its_last_segment(
    sent: str, configured: str, *, expected: bool
) -> None:
    """Laravel sends the class, Echo writes it with dots, and people write its last word."""
    assert is_named(sent, configured) is expected


def test_two_ways_to_write_a_name_are_one_setting() -> None:
    """A dot for a backslash must not cost the evidence of months."""
    assert canonical(".App.Events.X") == canonical("\\App\\Events\\X") == canonical("App\\Events\\X")


def test_the_names_of_others_are_kept_once_in_order_cut_and_bounded() -> None:
    """They come from outside, and go into a log and a page."""
    others = OtherEvents("X")
    assert [others.add(name) for name in ("B", "A", "B", "C\n" + "c" * 200)] == ["B", "A", None, "C?" + "c" * 98]
    for number in range(100):
        others.add(f"E{number}")
    assert len(others.names()) == NAMES_MAX
    assert others.names()[:2] == ("B", "A")


def test_a_warning_names_the_events_until_the_configured_one_comes() -> None:
    """A user whose event has another name saw no ack, and no reason."""
    others = OtherEvents("X")
    assert others.warning() == ""
    others.add("App\\Events\\BookingPaid")
    assert "`App\\Events\\BookingPaid`" in others.warning()
    assert "`X`" in others.warning()
    assert others.is_counted("X")
    assert others.warning() == ""


def test_after_twenty_others_in_a_row_the_configured_name_is_in_doubt_again() -> None:
    """A release that renames the event must show; one that sends a few others beside it must not."""
    others = OtherEvents("X")
    others.is_counted("X")
    for _ in range(UNCONFIRMED_FROM - 1):
        others.add("Y")
    assert others.warning() == ""
    others.is_counted("X")
    for _ in range(UNCONFIRMED_FROM):
        others.add("Y")
    assert "`Y`" in others.warning()


def test_the_event_of_the_real_capture_counts_by_default() -> None:
    """It was recorded between Laravel, Reverb and a browser."""
    recorded = lines("01-happy/pusher-js-events.jsonl")
    names = [line["data"]["event"] for line in recorded if line["what"] == "connection:message"]
    assert [name for name in names if is_named(name, DEFAULT_EVENT)] == [CLASS]
