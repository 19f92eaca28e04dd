"""Examine a request copied from a browser, and send it again on demand, only to the configured host."""

from urllib.parse import urlsplit

from sidecar.causes import cause_of
from sidecar.config import ProbeSecrets, Reverb
from sidecar.core.facts.auth_probes import AuthProbeOutcome, Step
from sidecar.doctor.curl import Request, findings, masked
from sidecar.doctor.examination import WITHIN_S, Diagnosis, diagnosis, is_api_route
from sidecar.doctor.refusal import reason_in
from sidecar.ports import ErrorCode, SidecarError
from sidecar.probes.auth_probe import BY_FAULT
from sidecar.probes.auth_responses import Answer, auth_in, blocks_script, refusal_of
from sidecar.probes.browser import Browser
from sidecar.probes.connection_errors import ending
from sidecar.probes.probe_record import Ended, ProbeRecord
from sidecar.probes.target import Target, origin_of, target_of
from sidecar.pusher.signing import fault_of

_SENT_HEADERS = (
    "accept",
    "content-type",
    "authorization",
    "cookie",
    "x-requested-with",
    "x-csrf-token",
    "x-xsrf-token",
    "origin",
)
_FOUND_SOMETHING = 1


async def examine_curl(
    request: Request, reverb: Reverb | None, secrets: ProbeSecrets, *, is_replayed: bool
) -> Diagnosis:
    """Return the diagnosis of a request, and of its response if it is replayed.

    Raises `SidecarError` for a replay to a host that is not the configured auth endpoint's.
    """
    found = findings(
        request,
        auth_endpoint=reverb.auth_endpoint if reverb else None,
        channel=reverb.channel if reverb else None,
    )
    subject = "a browser's request to authorise a channel"
    if is_replayed:
        if reverb is None:
            raise SidecarError(
                ErrorCode.CONFIG_INVALID, "--replay needs `reverb` in the configuration: the target is taken from it"
            )
        return await _replayed(subject, request, reverb, secrets, found)
    likely = _likely(request)
    cause = cause_of(likely, is_at_app=True) if found and likely else None
    return Diagnosis(
        subject=subject,
        outcome=None,
        step=None,
        number=None,
        exit_code=_FOUND_SOMETHING if found else 0,
        sentence="The request has these likely faults."
        if found
        else "The request has no visible fault: send it again with --replay.",
        reasons=tuple(found),
        changes=cause.changes if cause else (),
        steps=(),
        notes=tuple(masked(request)),
    )


async def _replayed(
    subject: str, request: Request, reverb: Reverb, secrets: ProbeSecrets, found: list[str]
) -> Diagnosis:
    target = target_of(reverb, secrets)
    asked, known = urlsplit(request.url), urlsplit(target.auth_endpoint)
    if origin_of(request.url) != origin_of(target.auth_endpoint):
        raise SidecarError(
            ErrorCode.CONFIG_INVALID,
            f"the request goes to {asked.scheme}://{asked.hostname}; it is sent again only to the host of "
            f"reverb.auth_endpoint, {known.scheme}://{known.netloc}",
        )
    probe_record, notes = ProbeRecord(), list(found)
    headers = {name: value for name, value in request.headers.items() if name in _SENT_HEADERS}
    body = request.body.encode() or None
    try:
        async with ending(probe_record, WITHIN_S):
            answer = await Browser(target).request(
                probe_record, Step.AUTHORISE, request.method, request.url, headers, body
            )
        reason = reason_in(answer.body) if answer.status == 403 else None  # noqa: PLR2004
        notes += [reason] if reason else []
        ended = _ended(answer, request, target)
    except Ended as failed:
        ended = failed
    has_token = request.headers.get("authorization", "").lower().startswith("bearer ")
    return diagnosis(
        f"{subject}, sent again",
        probe_record.probed(ended),
        tuple(notes),
        has_api_token=has_token and is_api_route(request.url),
    )


def _ended(answer: Answer, request: Request, target: Target) -> Ended:
    """Return the outcome of the response in a browser."""
    ended = refusal_of(answer)
    if ended is not None:
        return ended
    origin = request.headers.get("origin", "")
    if origin and not request.url.startswith(f"{origin}/"):
        blocked = blocks_script(answer, origin, with_credentials=False)
        if blocked is not None:
            return Ended(AuthProbeOutcome.BLOCKED_BY_CORS, answer.status, blocked)
    try:
        auth, data = auth_in(answer)
    except Ended as end:
        return end
    if not target.app.secret:
        return Ended(AuthProbeOutcome.OK)
    fields = request.fields
    fault = fault_of(target.app, auth, fields.get("socket_id", ""), fields.get("channel_name", ""), data)
    return Ended(AuthProbeOutcome.OK if fault is None else BY_FAULT[fault])


def _likely(request: Request) -> AuthProbeOutcome | None:
    has_credentials = "authorization" in request.headers or "cookie" in request.headers
    return AuthProbeOutcome.REFUSED_403 if has_credentials or request.fields.get("channel_name") else None
