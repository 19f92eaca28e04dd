"""One auth probe and its diagnosis: outcome, cause, likely reasons, and what to change."""

import asyncio
from urllib.parse import urlsplit

import msgspec

from sidecar.causes import ROUND_TRIPS, cause_of
from sidecar.config import UNKNOWN_APP, ProbeSecrets, Reverb
from sidecar.core.facts.auth_probes import AuthProbeOutcome, RoundTripOutcome, Step
from sidecar.core.facts.observations import RoundTripEnded
from sidecar.doctor.refusal import debug_reason
from sidecar.journal.memory import MemoryJournal
from sidecar.probes.auth_probe import AuthProber
from sidecar.probes.browser import Browser
from sidecar.probes.observers import Observers
from sidecar.probes.probe_record import AuthProbeResult, StepResult
from sidecar.probes.round_trip import RoundTrip
from sidecar.probes.target import target_of

WITHIN_S = 15.0
_SUBSCRIBED_WITHIN_S = 10.0
_LOOK_S = 0.02


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The doctor's result; `--json` prints it."""

    subject: str
    """What was examined, for the title."""
    outcome: AuthProbeOutcome | RoundTripOutcome | None
    """None: no request was sent, only inspected."""
    step: Step | None
    number: int | None
    exit_code: int
    sentence: str
    reasons: tuple[str, ...]
    changes: tuple[str, ...]
    steps: tuple[StepResult, ...]
    notes: tuple[str, ...]


async def examine(reverb: Reverb, secrets: ProbeSecrets, *, within_s: float = WITHIN_S) -> Diagnosis:
    """Run one auth probe, and return its diagnosis."""
    auth_prober = AuthProber(Browser(target_of(reverb, secrets)))
    return await examine_by(auth_prober, tuple(_remarks(reverb, secrets)), within_s=within_s)


async def examine_by(
    auth_prober: AuthProber, remarks: tuple[str, ...] = (), *, within_s: float = WITHIN_S
) -> Diagnosis:
    """Run one auth probe with this prober, and return its diagnosis."""
    channel = auth_prober.browser.target.channel
    probed = await auth_prober.auth_probe(within_s=within_s)
    notes = [*probed.notes, *remarks]
    if probed.outcome is AuthProbeOutcome.REFUSED_403:
        reason = await debug_reason(auth_prober.browser, channel)
        notes += [reason] if reason else []
    target = auth_prober.browser.target
    is_bearer = target.login == "bearer" and bool(target.secrets.token)
    diagnosed = diagnosis(
        f"auth probe of {channel}",
        probed,
        tuple(notes),
        has_api_token=is_bearer and is_api_route(target.auth_endpoint),
    )
    return await _with_canary(auth_prober.browser, diagnosed) if probed.outcome is AuthProbeOutcome.OK else diagnosed


async def _with_canary(browser: Browser, diagnosed: Diagnosis) -> Diagnosis:
    """After a clean auth probe, check whether an event is delivered."""
    app = browser.target.app
    if not app.secret or app.app_id == UNKNOWN_APP:
        note = "No event was sent through Reverb's API: set REVERB_APP_SECRET and the application's id (--app-id)."
        return msgspec.structs.replace(diagnosed, notes=(*diagnosed.notes, note))
    ended = await _round_trip(browser)
    diagnosed = msgspec.structs.replace(diagnosed, steps=(*diagnosed.steps, _step_of(ended, app.app_id)))
    if ended.outcome is RoundTripOutcome.OK:
        return diagnosed
    cause = ROUND_TRIPS[ended.outcome]
    return msgspec.structs.replace(
        diagnosed,
        outcome=ended.outcome,
        step=Step.DELIVER,
        number=ended.number,
        exit_code=cause.exit_code,
        sentence=cause.sentence,
        reasons=cause.reasons,
        changes=cause.changes,
    )


def is_api_route(url: str) -> bool:
    """Return whether a URL is a route of Laravel's `api` group."""
    return urlsplit(url).path.startswith("/api/")


def diagnosis(
    subject: str, probed: AuthProbeResult, notes: tuple[str, ...], *, has_api_token: bool = False
) -> Diagnosis:
    """Return the diagnosis of an auth probe."""
    cause = cause_of(probed.outcome, is_at_app=probed.is_at_app, has_api_token=has_api_token)
    return Diagnosis(
        subject=subject,
        outcome=probed.outcome,
        step=probed.step,
        number=probed.number,
        exit_code=cause.exit_code,
        sentence=cause.sentence,
        reasons=cause.reasons,
        changes=cause.changes,
        steps=probed.steps,
        notes=notes,
    )


def _remarks(reverb: Reverb, secrets: ProbeSecrets) -> list[str]:
    """Return remarks on the configuration."""
    remarks = []
    target = target_of(reverb, secrets)
    if reverb.probe.login == "cookie" and not target.sends_cookies:
        remarks.append(
            "A browser sends no cookie here: pusher-js sends none to another origin, whatever Echo's withCredentials "
            "says. The app sees a guest. Use one origin, a bearer token, or a custom authorizer with axios."
        )
    if reverb.probe.login == "bearer" and not secrets.token:
        remarks.append("SIDECAR_PROBE_TOKEN is not set: the app saw a guest.")
    if reverb.observers:
        remarks.append(
            "At the sidecar's sockets only the broadcast that `acks.event` names is an ack. `sidecar status` names the "
            "others that arrive."
        )
    if reverb.url.startswith("ws://") and reverb.origin.startswith("https://"):
        remarks.append("Browsers block ws:// on an https page as mixed content. Use wss://.")
    return remarks


async def _round_trip(browser: Browser) -> RoundTripEnded:
    """Send one canary on the probe user's own channel, and return its outcome. Nothing is journalled."""
    observers = Observers(browser, MemoryJournal(), replica="doctor", size=1, deliveries=None)
    running = asyncio.create_task(observers.run())
    try:
        for _ in range(round(_SUBSCRIBED_WITHIN_S / _LOOK_S)):
            if observers.subscribed():
                break
            await asyncio.sleep(_LOOK_S)
        return await RoundTrip(browser.target, observers, every_s=0.0, replica="doctor").probe()
    finally:
        running.cancel()
        await asyncio.wait({running})


def _step_of(ended: RoundTripEnded, app_id: str) -> StepResult:
    """Return a round trip as a step of the diagnosis."""
    is_ok = ended.outcome is RoundTripOutcome.OK
    return StepResult(
        step=Step.DELIVER,
        where=f"/apps/{app_id}/events",
        is_ok=is_ok,
        took_ms=float(ended.took_ms),
        sent="a canary event on the same channel, signed",
        received="the same event over a socket" if is_ok else f"{ended.outcome} {ended.number or ''}".strip(),
    )
