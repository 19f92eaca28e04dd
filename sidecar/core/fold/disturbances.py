"""Was Reverb itself away at some time? From failed round trips, and from times when all sockets were down.

The problem: a deploy of Reverb fails the payments and payers of some seconds, and must not be held against push. But
sockets that are cut for half a second every minute, or probes that fail now and then, must not excuse every payment.

What we do: a payment is explained only by what happened around it: two failed round trips, or a time without a socket,
unless that was brief and beside the payment's own time. And a disturbance that goes on for over half an hour, with
pauses of under three minutes, explains nothing any more: it is no short one.
"""

from sidecar.core.fold.state import Probing, State

BEFORE_MS = 30_000
AFTER_MS = 60_000
"""What happened from so long before a payment until so long after its deadline can explain its failure."""
LASTS_MAX_MS = 30 * 60_000
_PAUSE_MS = 3 * 60_000
_KEPT_MS = 20 * 60_000
"""Reports of browsers come up to ten minutes after their payments."""
_KEPT_MAX = 1000
"""Failed round trips and times without a socket that are kept."""


def round_trip_failed(state: State) -> None:
    """Record that a round trip failed now."""
    probing = state.probing
    _disturbed(state)
    probing.failed_round_trips_ms.append(state.now_ms)
    _forget(state)


def sockets_lost(state: State) -> None:
    """Record that all sockets are down from now on."""
    if state.probing.down_since_ms is None:
        _disturbed(state)
        state.probing.down_since_ms = state.now_ms
        _forget(state)


def sockets_back(state: State) -> None:
    """Record that a socket is up again, or that the process whose sockets were down is gone."""
    probing = state.probing
    if probing.down_since_ms is not None:
        probing.downs_ms.append((probing.down_since_ms, state.now_ms))
        began_ms, _ = probing.disturbances_ms.pop()
        probing.disturbances_ms.append((began_ms, state.now_ms))
        probing.down_since_ms = None
        _forget(state)


def was_reverb_away(state: State, began_ms: int, ended_ms: int) -> bool:
    """Return whether Reverb's own trouble explains what failed between these times (the first and the last included).

    For a payment that is from its webhook to its deadline.
    """
    probing = state.probing
    from_ms, until_ms = began_ms - BEFORE_MS, ended_ms + AFTER_MS
    if _has_lasted(state, from_ms, until_ms):
        return False
    if sum(from_ms <= at_ms <= until_ms for at_ms in probing.failed_round_trips_ms) >= 2:  # noqa: PLR2004 - 1 is noise
        return True
    downs_ms = _downs_ms(state)
    if any(down_ms <= ended_ms and up_ms >= began_ms for down_ms, up_ms in downs_ms):
        return True
    away_ms = sum(max(0, min(up_ms, until_ms) - max(down_ms, from_ms)) for down_ms, up_ms in downs_ms)
    return away_ms > 0 and away_ms >= ended_ms - began_ms


def _downs_ms(state: State) -> list[tuple[int, int]]:
    probing = state.probing
    return probing.downs_ms + ([] if probing.down_since_ms is None else [(probing.down_since_ms, state.now_ms)])


def _has_lasted(state: State, from_ms: int, until_ms: int) -> bool:
    """Return whether a disturbance around this time had lasted too long by the end of it."""
    is_down = state.probing.down_since_ms is not None
    runs = state.probing.disturbances_ms
    for index, (began_ms, last_ms) in enumerate(runs):
        end_ms = state.now_ms if is_down and index == len(runs) - 1 else last_ms
        if began_ms <= until_ms and end_ms >= from_ms and min(end_ms, until_ms) - began_ms > LASTS_MAX_MS:
            return True
    return False


def _disturbed(state: State) -> None:
    """Extend the present disturbance, or begin one."""
    probing, now_ms = state.probing, state.now_ms
    if probing.down_since_ms is not None or (
        probing.disturbances_ms and now_ms - probing.disturbances_ms[-1][1] < _PAUSE_MS
    ):
        began_ms, _ = probing.disturbances_ms.pop()
        probing.disturbances_ms.append((began_ms, now_ms))
    else:
        probing.disturbances_ms.append((now_ms, now_ms))


def _forget(state: State) -> None:
    """Remove what is too old to explain anything."""
    probing: Probing = state.probing
    oldest_ms = state.now_ms - _KEPT_MS
    if probing.failed_round_trips_ms and probing.failed_round_trips_ms[0] < oldest_ms:
        probing.failed_round_trips_ms = [at_ms for at_ms in probing.failed_round_trips_ms if at_ms >= oldest_ms]
    probing.downs_ms = [down for down in probing.downs_ms[-_KEPT_MAX:] if down[1] >= oldest_ms]
    probing.disturbances_ms = [
        each
        for index, each in enumerate(probing.disturbances_ms, start=1)
        if each[1] >= oldest_ms or index == len(probing.disturbances_ms)
    ]
    del probing.failed_round_trips_ms[:-_KEPT_MAX]
