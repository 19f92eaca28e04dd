"""Evidence belongs to what it was measured on: what binds a journal, and what begins everything anew."""

import msgspec
import pytest

from sidecar.core.facts.meaning import carried, changed_keys, why_not_here
from sidecar.core.facts.policy import (
    LADDER_OFF,
    Lifecycle,
    Mode,
    Policy,
    ReverbPolicy,
    ReverbTarget,
    Rung,
    StripePolicy,
    policy_hash,
)
from sidecar.core.fold.conclusions import EpochBegan, FlagMoved, PolicyChanged, PolicyRefused
from sidecar.core.fold.lifecycle import why_not
from sidecar.core.fold.state import State, encode
from tests.core.probed import probed
from tests.core.test_suspension import hiccup
from tests.core.world import HOUR, LAX, REVERB, SECOND, World, on

TARGET = ReverbTarget(
    url="wss://ws.example.test",
    app_id="501",
    app_key="key",
    auth_endpoint="https://app.example.test/broadcasting/auth",
    channel="private-live-refresh.{user_id}",
    observer_channel="private-reverb-sidecar",
)
STRIPE = StripePolicy(livemode=True, required_metadata=("booking_id", "tenant"), user_key="user_id")
BOUND = msgspec.structs.replace(
    LAX, stripe=STRIPE, reverb=msgspec.structs.replace(REVERB, target=TARGET, event="LiveRefreshContextsUpdated")
)


def _stripe(**keys: object) -> dict[str, object]:
    return {"stripe": msgspec.structs.replace(STRIPE, **keys)}


def _reverb(*, of: ReverbPolicy | None = BOUND.reverb, **keys: object) -> dict[str, object]:
    return {"reverb": of and msgspec.structs.replace(of, **keys)}


def _target(**keys: object) -> dict[str, object]:
    return _reverb(target=msgspec.structs.replace(TARGET, **keys))


# fmt: off
ROWS = [
    # what is changed,                              keys that an outcome depends on
    (_stripe(required_metadata=("booking_id",)),    ("stripe.required_metadata",)),
    (_stripe(required_metadata=()),                 ("stripe.required_metadata",)),
    (_stripe(user_key="payer_id"),                  ("stripe.user_key",)),
    (_stripe(user_key=None),                        ("stripe.user_key",)),
    (_target(url="wss://other.example.test"),       ("reverb.url",)),
    (_target(app_id="502"),                         ("reverb.app_id",)),
    (_target(app_key="other"),                      ("reverb.app_key",)),
    (_target(auth_endpoint="https://other.test/a"), ("reverb.auth_endpoint",)),
    (_target(channel="private-user.{user_id}"),     ("reverb.channel",)),
    (_target(observer_channel="private-other"),     ("reverb.observer_channel",)),
    (_target(app_id="502", app_key="other"),        ("reverb.app_id", "reverb.app_key")),
    (_reverb(is_observing=False),                   ("reverb.observers",)),
    (_reverb(event="BookingPaid"),                  ("acks.event",)),
    (_reverb(event=None),                           ()),
    (_reverb(of=None),                              ("reverb.observers",)),
    ({"flag": "other"},                             ("flag",)),
    ({"contexts": ("invoices",)},                   ("acks.contexts",)),
    ({"on_time_within_ms": 3 * SECOND},             ("objective.on_time_within",)),
    # --- not these
    (_stripe(required_metadata=("tenant", "booking_id")), ()),
    (_reverb(round_trip_every_ms=9 * SECOND),       ()),
    (_reverb(auth_reliability_ppm=900_000),         ()),
    ({"reliability_ppm": 950_000},                  ()),
    ({"missed_after_ms": 60 * SECOND},              ()),
    ({"lease_ms": 10 * SECOND},                     ()),
    ({"stripe": None},                              ()),
    (_reverb(target=None),                          ()),
]
# fmt: on


def at(rung: int, policy: Policy = BOUND) -> World:
    """Return a world on a rung under a policy, with evidence, that decides nothing from here on."""
    world = on(rung) if policy.reverb is None else probed(rung)
    world.decides = False
    world.good(3)
    world.state.policy, world.state.policy_hash = policy, policy_hash(policy)
    world.state.flag.soaked_ms = 5 * SECOND
    return world


@pytest.mark.parametrize(("keys", "changed"), ROWS)
@pytest.mark.parametrize("rung", [0, 2])
def test_whatever_changes_what_an_outcome_means_begins_everything_anew_on_the_bottom_rung(
    keys: dict[str, object], changed: tuple[str, ...], rung: int
) -> None:
    """A proof of one Reverb, kept for another, is served to payers within seconds."""
    world = at(rung)
    payments = world.state.indicators["payments"]
    epoch, good = payments.epoch, payments.good
    assert good > 0
    world.approve(rung=rung + 1)
    world.change(**keys)
    said = world.last(PolicyChanged)
    assert isinstance(said, PolicyChanged)
    assert said.changed == changed
    flag = world.state.flag
    if changed:
        assert (flag.rung, flag.soaked_ms, flag.approval) == (0, 0, None)
        assert (payments.epoch, payments.good, world.state.coverage.counts()) == (epoch + 1, 0, (0, 0))
        assert world.mode() is Mode.TIMER_POLLING
        if rung:
            moved = world.last(FlagMoved)
            assert isinstance(moved, FlagMoved)
            assert (moved.to_rung, moved.cause) == (0, "policy")
            assert moved.detail.startswith(f"what an outcome means was changed: {', '.join(changed)}")
    else:
        assert (flag.rung, flag.soaked_ms) == (rung, 5 * SECOND)
        assert flag.approval is not None


def test_a_change_and_its_return_are_two_changes() -> None:
    """What was measured in between is not what was measured before."""
    world = at(2)
    world.change(contexts=("invoices",))
    world.change(contexts=LAX.contexts)
    epochs = [each for each in world.conclusions if isinstance(each, EpochBegan) and each.indicator == "payments"]
    assert (len(epochs), world.state.flag.rung) == (2, 0)


# fmt: off
OTHERS = [
    # what the configuration has                                     refused, and the words
    ({"environment": "staging"},                                     "`environment: test`, and this configuration has `environment: staging`"),
    (_stripe(livemode=False),                                        "`stripe.livemode: true`, and this configuration has `stripe.livemode: false`"),
    ({"environment": "staging", **_stripe(livemode=False)},          "`environment: test` and `stripe.livemode: true`"),
    ({"environment": "staging", "stripe": None},                     "`environment: test`"),
    ({"stripe": None},                                               None),
    ({"contexts": ("invoices",)},                                    None),
]
# fmt: on


@pytest.mark.parametrize(("keys", "why"), OTHERS)
def test_a_journal_belongs_to_one_environment_and_livemode(keys: dict[str, object], why: str | None) -> None:
    """Staging's proof, made with test payments, was served in production within two seconds."""
    world = at(2)
    wanted = msgspec.structs.replace(BOUND, **keys)
    before = msgspec.json.decode(encode(world.state))
    found = why_not_here(world.state.policy, wanted)
    world.adopt(wanted)
    if why is None:
        assert found is None
        assert isinstance(world.last(PolicyChanged), PolicyChanged)
        return
    assert found is not None
    assert why in found
    assert world.last(PolicyRefused) == PolicyRefused(policy_hash=policy_hash(wanted), why=found)
    after = msgspec.json.decode(encode(world.state))
    assert {key for key in after if after[key] != before[key]} == {"seq", "refused_policies", "chain"}


def test_of_two_processes_that_race_for_an_empty_journal_the_second_is_refused() -> None:
    """Each found no policy when it looked; the order in the journal decides."""
    world = World(BOUND)
    world.append(world.records[1].observation)
    world.adopt(msgspec.structs.replace(BOUND, environment="staging"))
    assert world.state.policy == BOUND


def test_the_first_start_of_this_version_binds_the_journal_and_moves_nothing() -> None:
    """An upgrade must not cost the evidence of months: what was not recorded counts as unchanged."""
    world = at(2, msgspec.structs.replace(LAX, reverb=REVERB))
    payments, flag = world.state.indicators["payments"], world.state.flag
    before = (payments.epoch, payments.good, list(payments.levels), flag.rung, flag.soaked_ms, flag.since_ms)
    world.adopt(BOUND)
    assert (payments.epoch, payments.good, payments.levels, flag.rung, flag.soaked_ms, flag.since_ms) == before
    assert world.state.policy == BOUND
    world.change(**_stripe(livemode=False))
    assert isinstance(world.conclusions[-1], PolicyRefused)


def test_a_policy_of_an_older_version_in_between_does_not_release_the_journal() -> None:
    """Otherwise one start of the previous version would let test payments prove push for live ones."""
    world = at(2)
    old = msgspec.structs.replace(LAX, reverb=REVERB)
    world.adopt(old)
    assert (world.state.policy_hash, world.state.policy) == (policy_hash(old), carried(old, BOUND))
    world.change(**_stripe(livemode=False))
    assert isinstance(world.conclusions[-1], PolicyRefused)
    world.change(**_target(url="wss://other.example.test"))
    assert world.state.flag.rung == 0


def test_a_policy_that_records_nothing_new_keeps_its_hash() -> None:
    """Its hash is in the journals and reports of earlier versions."""
    assert policy_hash(LAX).startswith("96668b4dc1a74f51")
    assert len({policy_hash(each) for each in (LAX, msgspec.structs.replace(LAX, stripe=STRIPE), BOUND)}) == 3
    assert b"target" not in msgspec.json.encode(REVERB)


def test_a_change_while_reverb_is_unstable_ends_the_suspension() -> None:
    """It was about another Reverb; on the bottom rung there is nothing to suspend."""
    world = probed(2)
    hiccup(world, 15 * SECOND)
    world.decides = False
    assert world.state.flag.suspension is not None
    world.change(contexts=("invoices",))
    flag = world.state.flag
    assert (flag.rung, flag.suspension, flag.suspensions_ms) == (0, None, [])


def test_a_change_while_an_alarm_is_latched_keeps_the_alarm_and_has_the_effects_of_its_fall() -> None:
    """An edit of the file must not quiet what says that payers are left behind, nor save it the cool-down."""
    world = on(2)
    world.decides = False
    world.bad(8)
    payments = world.state.indicators["payments"]
    assert payments.is_latched
    world.change(contexts=("invoices",))
    assert (world.state.flag.rung, payments.is_latched, payments.awaits_epoch) == (0, True, True)
    assert world.state.flag.cooldown_until_ms == world.now_ms + LAX.cooldown_ms
    assert [move.cause for move in world.state.moves][-1:] == ["policy"]


def test_in_a_dry_run_the_rehearsed_rung_is_left_too() -> None:
    """A dry run rehearses what would have been served."""
    world = at(2, msgspec.structs.replace(BOUND, dry_run=True))
    world.change(contexts=("invoices",))
    assert world.state.flag.rung == 0


def test_without_a_ladder_another_meaning_is_refused() -> None:
    """The flag would return without any proof, since none is asked for with `lifecycle: removed`."""
    world = at(2, msgspec.structs.replace(BOUND, ladder=LAX.ladder[:3]))
    removed = msgspec.structs.replace(BOUND, lifecycle=Lifecycle.REMOVED, ladder=LADDER_OFF)
    other = msgspec.structs.replace(removed, contexts=("invoices",))
    assert why_not(world.state, removed) is None
    assert "acks.contexts changed: begin with `lifecycle: migrating`" in (why_not(world.state, other) or "")
    world.adopt(removed)
    world.adopt(other)
    assert (world.state.policy, world.state.flag.rung) == (removed, 1)
    world.adopt(msgspec.structs.replace(other, lifecycle=Lifecycle.MIGRATING, ladder=LAX.ladder))
    assert world.state.flag.rung == 0


def test_with_another_ladder_at_once_it_is_one_move_to_the_bottom() -> None:
    """Two moves at one time would be notified twice."""
    world = at(2)
    moves = len(world.state.moves)
    world.change(
        contexts=("invoices",), ladder=(Rung(mode=Mode.TIMER_POLLING), Rung(mode=Mode.PUSH_ONLY, soak_ms=HOUR))
    )
    assert (len(world.state.moves), world.state.flag.rung) == (moves + 1, 0)


def test_rows_of_an_empty_journal_compare_with_nothing() -> None:
    """A first policy changes nothing."""
    assert why_not_here(State().policy, BOUND) is None
    assert changed_keys(BOUND, BOUND) == ()
