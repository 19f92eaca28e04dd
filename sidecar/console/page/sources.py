"""What Reverb's probes and the payers' browsers tell, and what cannot be seen at all."""

import msgspec

from sidecar.causes import CAUSES, ROUND_TRIPS, Cause
from sidecar.console import labels as words
from sidecar.console.page.figures import Spread, spread
from sidecar.console.page.front import Tone
from sidecar.console.status import Status
from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, UserAuth
from sidecar.core.facts.reports import Family, Flow, Verdict
from sidecar.core.fold.state import State
from sidecar.wording import IGNORED, UNMEASURED


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """How often something was told, and what it means."""

    name: str
    step: str
    count: str
    share_ratio: float
    meaning: str
    tone: Tone


class Reverb(msgspec.Struct, frozen=True, kw_only=True):
    """What the probes say of Reverb."""

    tone: Tone
    summary: str
    cause: str
    """Why the last auth probe failed, in the doctor's words; empty: it went well, or there was none."""
    changes: tuple[str, ...]
    """What to change, likeliest first."""
    auth_probes: tuple[Told, ...]
    user_auths: tuple[Told, ...]
    round_trips: tuple[Told, ...]
    spread: Spread | None
    sockets: str
    isolation: str
    isolation_tone: Tone


class ReachRow(msgspec.Struct, frozen=True, kw_only=True):
    """Whether push reached the payers of one flow and browser."""

    flow: str
    browser: str
    reached: str
    ratio: float | None
    share: str
    unmeasured: str


class Payers(msgspec.Struct, frozen=True, kw_only=True):
    """What payers' browsers tell."""

    reports: str
    rows: tuple[ReachRow, ...]
    on_rung: str
    reporters: str
    rescued: str
    cleared: tuple[Told, ...]
    waived: str
    """Why reports are not required; empty: they are."""


class Unseen(msgspec.Struct, frozen=True, kw_only=True):
    """What cannot be seen."""

    coverage: str
    coverage_ratio: float | None
    coverage_target: str
    coverage_target_ratio: float
    tone: Tone
    reasons: tuple[Told, ...]
    ignored: tuple[Told, ...]
    silent: str
    """Sources that do not answer; empty: all do."""
    lost: tuple[str, ...]


_AUTHS = {
    UserAuth.OK: "The app let the user in.",
    UserAuth.GUEST: "Nobody was logged in: no cookie, the wrong guard, or an expired session.",
    UserAuth.NO_PATTERN: "No callback in routes/channels.php fits the channel.",
    UserAuth.REFUSED: "The channel's callback said no.",
    UserAuth.BINDING: "A model in the channel's name was not found.",
    UserAuth.ABORT: "The callback, or something before it, aborted.",
}
_STEPS = (
    (10, "the way there"),
    (20, "TLS"),
    (30, "Reverb"),
    (50, "the app's answer"),
    (66, "the signature"),
    (70, "time"),
)
"""From which exit code on of the doctor an outcome belongs to which step."""


def reverb(status: Status, state: State) -> Reverb | None:
    """Return what the probes say; None: Reverb is not probed."""
    told = status.reverb
    if told is None:
        return None
    auth_probes = sum(told.auth_probes.values())
    trips = sum(told.round_trips.values())
    clean = f"{_of(told.auth_probes.get(AuthProbeOutcome.OK, 0), auth_probes)} auth probes of the probe user"
    clean += f" and {_of(told.round_trips.get(RoundTripOutcome.OK, 0), trips)} round trips were clean."
    is_allowed = told.isolation is IsolationOutcome.ALLOWED
    failed = told.last_auth_probe if told.last_auth_probe not in {None, AuthProbeOutcome.OK} else None
    is_well = failed is None and told.sockets_up == told.sockets and not is_allowed
    return Reverb(
        tone=Tone.BLIND if not auth_probes + trips else Tone.GOOD if is_well else Tone.BAD,
        summary=clean if auth_probes + trips else "No probe has ended yet.",
        cause=told.cause,
        changes=CAUSES[failed].changes[:3] if failed else (),
        auth_probes=_outcomes({str(key): value for key, value in told.auth_probes.items()}, _auth_probe_causes()),
        round_trips=_outcomes(
            {str(key): value for key, value in told.round_trips.items()},
            {str(key): ("Reverb's API", value.sentence) for key, value in ROUND_TRIPS.items()},
        ),
        user_auths=_outcomes(
            {str(key): value for key, value in told.user_auths.items()},
            {str(key): ("the app's answer", value) for key, value in _AUTHS.items()},
        ),
        spread=spread(state.tally.round_trip),
        sockets=f"{told.sockets_up} of {told.sockets} up" if told.sockets else "none seen yet",
        isolation={
            None: "not asked yet",
            IsolationOutcome.REFUSED: "refused, as they must be",
            IsolationOutcome.ALLOWED: "LET IN: anybody may listen to anybody's payments",
            IsolationOutcome.UNKNOWN: "not answered as such a request is",
        }[told.isolation],
        isolation_tone=Tone.BAD if is_allowed else Tone.GOOD if told.isolation else Tone.BLIND,
    )


def _auth_probe_causes() -> dict[str, tuple[str, str]]:
    return {str(key): (_step(cause), cause.sentence) for key, cause in CAUSES.items()}


def _step(cause: Cause) -> str:
    return next((step for code, step in reversed(_STEPS) if cause.exit_code >= code), "all the way")


def _outcomes(told: dict[str, int], meanings: dict[str, tuple[str, str]]) -> tuple[Told, ...]:
    whole = sum(told.values())
    rows = []
    for outcome, counted in sorted(told.items(), key=lambda each: -each[1]):
        step, meaning = meanings.get(outcome, ("", ""))
        rows.append(
            Told(
                name=outcome,
                step=step,
                count=words.count(counted),
                share_ratio=counted / whole,
                meaning=meaning,
                tone=Tone.GOOD if outcome == AuthProbeOutcome.OK else Tone.BAD,
            )
        )
    return tuple(rows)


def _of(part: int, whole: int) -> str:
    return f"{words.count(part)} of {words.count(whole)}"


def payers(status: Status, state: State) -> Payers:
    """Return what payers' browsers tell, by flow and browser family."""
    told = status.payers
    reports = words.joined([f"{words.count(n)} {words.name(outcome)}" for outcome, n in told.reports.items()])
    cleared = sum(told.cleared.values())
    waived = state.policy.reach_not_required if state.policy is not None else None
    return Payers(
        reports=reports,
        rows=tuple(_reach(state)),
        on_rung=words.joined([f"{words.count(told.on_rung.get(flow, 0))} {words.name(flow)}" for flow in Flow]),
        reporters=words.count(told.reporters),
        rescued=words.count(told.rescued_by_poll),
        cleared=tuple(
            Told(
                name=words.name(key.rpartition("/")[2]),
                step=words.name(key.partition("/")[0]),
                count=words.count(counted),
                share_ratio=counted / cleared,
                meaning="",
                tone=Tone.CALM,
            )
            for key, counted in sorted(told.cleared.items(), key=lambda each: -each[1])
        ),
        waived=waived or "",
    )


def _reach(state: State) -> list[ReachRow]:
    rows = []
    for flow in Flow:
        for browser in Family:
            told = {verdict: state.tally.reach.get(f"{flow}/{browser}/{verdict}", 0) for verdict in Verdict}
            good, bad = told[Verdict.GOOD], told[Verdict.BAD]
            if not sum(told.values()):
                continue
            ratio = good / (good + bad) if good + bad else None
            rows.append(
                ReachRow(
                    flow=words.name(flow),
                    browser=browser.title(),
                    reached=_of(good, good + bad),
                    ratio=ratio,
                    share=words.ratio(ratio, 1),
                    unmeasured=words.count(told[Verdict.GONE] + told[Verdict.NEVER_PAID]),
                )
            )
    return rows


def unseen(status: Status, state: State) -> Unseen:
    """Return what cannot be seen, and why."""
    policy, tally = state.policy, state.tally
    assert policy is not None  # noqa: S101 - without one there is no status
    ratio = status.judged / status.succeeded if status.succeeded else None
    target = policy.coverage_ppm / 1_000_000
    lost = [
        (tally.lost_acks, "Acks that were removed before they were read"),
        (tally.dropped_acks, "Acks that were not kept, because too many waited for their payments"),
        (tally.unknown_acks, "Acks that named a payment which never came"),
        (tally.contradicted, "Payments that the filter left out, and that got an ack all the same"),
    ]
    return Unseen(
        coverage=f"{_of(status.judged, status.succeeded)} payments of the last day could be judged",
        coverage_ratio=ratio,
        coverage_target=words.ratio(target, 0),
        coverage_target_ratio=target,
        tone=Tone.BLIND if ratio is None else Tone.GOOD if ratio >= target else Tone.WAIT,
        reasons=_outcomes(
            {str(key): value for key, value in tally.unmeasured.items()},
            {str(key): ("", value.description) for key, value in UNMEASURED.items()},
        ),
        ignored=_outcomes(
            {str(key): value for key, value in tally.ignored.items()},
            {str(key): ("", value.description) for key, value in IGNORED.items()},
        ),
        silent=words.joined(list(status.silent_sources)),
        lost=tuple(f"{what}: {words.count(counted)}" for counted, what in lost if counted),
    )
