"""Fold auth probes, round trips, isolation probes and sockets into the indicators that judge Reverb."""

from typing import assert_never

from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome
from sidecar.core.facts.observations import (
    ChannelAuthProbed,
    IsolationProbed,
    ObserverChanged,
    RoundTripEnded,
    WatchChanged,
)
from sidecar.core.facts.outcomes import Unmeasured
from sidecar.core.facts.policy import Policy
from sidecar.core.fold import disturbances, journeys, suspension, visibility
from sidecar.core.fold.conclusions import Conclusions, IsolationBroken
from sidecar.core.fold.judging import count_latency
from sidecar.core.fold.state import Probing, State
from sidecar.core.statistics.indicators import CHANNEL_AUTH, ROUND_TRIPS, judge, row_of

Probed = ChannelAuthProbed | RoundTripEnded | IsolationProbed | ObserverChanged | WatchChanged
_OBSERVERS_MAX = 1000


def restarted(state: State) -> None:
    """Forget which sockets are up: those of the process that was there before are gone."""
    probing = state.probing
    probing.observers = {}
    probing.watched_ms = None
    disturbances.sockets_back(state)
    probing.watched_users = {}


def begun(state: State) -> None:
    """Reset the probe results for a new policy, and give its probes time to report."""
    state.probing = Probing(isolation=state.probing.isolation, tells_of_all=state.probing.tells_of_all)
    state.probing.round_trip_ms = state.probing.auth_probe_ms = state.visibility.reached_ms = state.now_ms


def take(state: State, policy: Policy, fact: Probed, out: Conclusions) -> None:
    """Process the result of a probe."""
    match fact:
        case ChannelAuthProbed():
            _probed(state, policy, fact, out)
        case RoundTripEnded():
            _round_trip_ended(state, policy, fact, out)
        case IsolationProbed():
            _isolation_probed(state, fact, out)
        case ObserverChanged():
            _observer_changed(state, fact)
        case WatchChanged():
            _watch_changed(state, fact)
        case _:
            assert_never(fact)


def _probed(state: State, policy: Policy, fact: ChannelAuthProbed, out: Conclusions) -> None:
    """Judge an auth probe of the probe user."""
    state.tally.auth_probes[fact.outcome] = state.tally.auth_probes.get(fact.outcome, 0) + 1
    state.probing.auth_probe_ms, state.probing.auth_probe = state.now_ms, fact.outcome
    state.probing.is_at_app = fact.is_at_app
    if fact.is_cut_off:
        _cut_off(state, policy, out)
        return
    _judge(state, policy, CHANNEL_AUTH, is_good=fact.outcome is AuthProbeOutcome.OK)


def _round_trip_ended(state: State, policy: Policy, fact: RoundTripEnded, out: Conclusions) -> None:
    """Judge a canary's round trip."""
    probing, tally = state.probing, state.tally
    tally.round_trips[fact.outcome] = tally.round_trips.get(fact.outcome, 0) + 1
    probing.round_trip_ms = state.now_ms
    if fact.is_cut_off:
        _cut_off(state, policy, out)
        return
    is_good = fact.outcome is RoundTripOutcome.OK
    if is_good:
        count_latency(tally.round_trip, policy, fact.took_ms)
    else:
        disturbances.round_trip_failed(state)
    _judge(state, policy, ROUND_TRIPS, is_good=is_good)


def _isolation_probed(state: State, fact: IsolationProbed, out: Conclusions) -> None:
    """Record the isolation outcome: a gate, and an alarm for people; push itself works."""
    state.tally.isolation_probes[fact.verdict] = state.tally.isolation_probes.get(fact.verdict, 0) + 1
    if fact.verdict is IsolationOutcome.UNKNOWN:
        return
    if fact.verdict is IsolationOutcome.ALLOWED and state.probing.isolation is not IsolationOutcome.ALLOWED:
        state.flag.guard_version += 1
        out.append(IsolationBroken())
    state.probing.isolation = fact.verdict


def _observer_changed(state: State, fact: ObserverChanged) -> None:
    """Record that a socket is up or down; payments are watched from the first such record on."""
    probing = state.probing
    if len(probing.observers) < _OBSERVERS_MAX:
        probing.observers[f"{fact.replica}/{fact.observer}"] = fact.is_up
    if probing.watched_ms is None:
        probing.watched_ms = state.now_ms
    if not any(probing.observers.values()):
        disturbances.sockets_lost(state)
    else:
        disturbances.sockets_back(state)


def _watch_changed(state: State, fact: WatchChanged) -> None:
    """Note from when on a user's own channel is watched."""
    if fact.is_on:
        state.probing.watched_users.setdefault(fact.user_ref, state.now_ms)
    else:
        state.probing.watched_users.pop(fact.user_ref, None)


def _cut_off(state: State, policy: Policy, out: Conclusions) -> None:
    journeys.blinded(state, Unmeasured.CUT_OFF, out)
    visibility.cut_off(state, policy)


def _judge(state: State, policy: Policy, name: str, *, is_good: bool) -> None:
    if not is_good:
        state.flag.guard_version += 1
        suspension.prolong(state, policy)
    judge(
        state.indicators[name],
        row_of(name),
        policy,
        is_good=is_good,
        at_ms=state.now_ms,
        can_end=state.flag.rung == 0,
    )
    visibility.probed(state, policy, is_clean=is_good, is_auth_probe=name == CHANNEL_AUTH)
