"""An auth probe takes the steps by which a browser joins a private channel: connect, establish, authorise, subscribe.

It raises nothing for a failure of its target: the result is one outcome of a closed set, with the step at which it
ended. The caller sets the deadline; after it, the result names the step that was reached.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from sidecar.config import Authorizer
from sidecar.core.facts.auth_probes import AuthProbeOutcome, Step
from sidecar.probes.auth_responses import Answer, auth_in, blocks_request, blocks_script, refusal_of, unsafe_headers
from sidecar.probes.browser import Browser
from sidecar.probes.connection_errors import ending
from sidecar.probes.probe_record import AuthProbeResult, Ended, ProbeRecord
from sidecar.probes.reverb_socket import opened
from sidecar.pusher.signing import Fault, fault_of

BY_FAULT = {
    Fault.SHAPE: AuthProbeOutcome.NO_AUTH_200,
    Fault.KEY: AuthProbeOutcome.SIGNED_WITH_OTHER_KEY,
    Fault.SECRET: AuthProbeOutcome.SIGNED_WITH_OTHER_SECRET,
    Fault.SOCKET: AuthProbeOutcome.SIGNED_FOR_OTHER_SOCKET,
    Fault.CHANNEL: AuthProbeOutcome.SIGNED_FOR_OTHER_CHANNEL,
}
_SHOWN_AT_PREFLIGHT = {
    AuthProbeOutcome.ROUTE_MISSING_404,
    AuthProbeOutcome.WAF_CHALLENGE,
    AuthProbeOutcome.THROTTLED_429,
    AuthProbeOutcome.MAINTENANCE_503,
    AuthProbeOutcome.SERVER_ERROR_5XX,
}
"""Outcomes of a preflight that are not about CORS. Laravel answers 404 to the preflight of a missing route only."""
_AS_NETWORK_ERROR = "A browser shows this as a network error with status 0: {}."
_SOCKETS_KEPT = 20
_NO_SOCKET = "1234.5678"
"""Has the form of a socket id: the isolation outcome does not depend on whose id it is."""

Steps = Callable[[ProbeRecord], Awaitable[object]]


class AuthProber:
    """Runs auth probes as one user, in one browser."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self._target = browser.target
        self._earlier_sockets: deque[str] = deque(maxlen=_SOCKETS_KEPT)

    async def auth_probe(self, *, within_s: float) -> AuthProbeResult:
        """Run one auth probe of the probe user's own channel."""
        return await self._result_of(self._subscribe, within_s)

    async def probe_isolation(self, channel: str, *, within_s: float) -> AuthProbeResult:
        """Send one request to the auth endpoint, for a channel of another user; `ok` means that access was allowed."""

        async def authorise(record: ProbeRecord) -> None:
            await self._authorised(record, _NO_SOCKET, channel, as_script=False)

        return await self._result_of(authorise, within_s)

    @staticmethod
    async def _result_of(steps: Steps, within_s: float) -> AuthProbeResult:
        record = ProbeRecord()
        try:
            async with ending(record, within_s):
                await steps(record)
        except Ended as ended:
            return record.probed(ended)
        return record.probed(Ended(AuthProbeOutcome.OK))

    async def _subscribe(self, record: ProbeRecord) -> None:
        channel = self._target.channel
        async with aclosing(await opened(self.browser, record)) as socket:
            await socket.establish(record)
            socket_id = socket.connection.socket_id
            self._earlier_sockets.append(socket_id)
            auth, data = await self._authorised(record, socket_id, channel)
            self._check_signature(record, auth, data, socket_id)
            record.begin(Step.SUBSCRIBE, channel)
            record.sent(f"pusher:subscribe {channel}")
            await socket.join(channel, auth, data)
            await socket.subscribed([channel])
            record.received("subscription_succeeded")

    async def _authorised(
        self, record: ProbeRecord, socket_id: str, channel: str, *, as_script: bool = True
    ) -> tuple[str, str]:
        """Return `auth` and `channel_data` for a channel; an expired session is renewed once.

        CORS restricts the script of a page, not an attacker, so the isolation probe ignores it.
        """
        await self.browser.log_in(record)
        answer = await self._request_auth(record, socket_id, channel, as_script=as_script)
        if answer.status in {401, 403, 419} and self.browser.may_renew:
            record.notes.append(f"The session was refused with {answer.status}, and was renewed by a new login.")
            self.browser.clear_session()
            await self.browser.log_in(record)
            answer = await self._request_auth(record, socket_id, channel, as_script=as_script)
        ended = refusal_of(answer)
        block = self._block_of(answer) if as_script else None
        if ended is not None:
            if block is not None:
                record.notes.append(_AS_NETWORK_ERROR.format(block))
            raise ended
        if block is not None:
            raise Ended(AuthProbeOutcome.BLOCKED_BY_CORS, answer.status, block)
        return auth_in(answer)

    async def _request_auth(self, record: ProbeRecord, socket_id: str, channel: str, *, as_script: bool) -> Answer:
        target = self._target
        headers, body = self.browser.auth_request(socket_id, channel)
        if target.is_cross_origin and as_script:
            unsafe = unsafe_headers(headers, is_form=target.authorizer is Authorizer.DEFAULT)
            if unsafe:
                await self._preflight(record, unsafe)
        if target.sends_cookies:
            headers |= self.browser.cookies(target.auth_endpoint)
        return await self.browser.request(record, Step.AUTHORISE, "POST", target.auth_endpoint, headers, body)

    async def _preflight(self, record: ProbeRecord, names: list[str]) -> None:
        target = self._target
        headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": ",".join(names)}
        answer = await self.browser.request(record, Step.PREFLIGHT, "OPTIONS", target.auth_endpoint, headers)
        credentials = target.authorizer is Authorizer.AXIOS
        block = blocks_request(answer, target.origin, names, with_credentials=credentials)
        if block is None:
            return
        ended = refusal_of(answer)
        if ended is not None and ended.outcome in _SHOWN_AT_PREFLIGHT:
            record.notes.append(_AS_NETWORK_ERROR.format(block))
            raise ended
        raise Ended(AuthProbeOutcome.BLOCKED_BY_CORS, answer.status, block)

    def _block_of(self, answer: Answer) -> str | None:
        target = self._target
        if not target.is_cross_origin:
            return None
        return blocks_script(answer, target.origin, with_credentials=target.authorizer is Authorizer.AXIOS)

    def _check_signature(self, record: ProbeRecord, auth: str, data: str, socket_id: str) -> None:
        app, channel = self._target.app, self._target.channel
        if not app.secret:
            record.notes.append("REVERB_APP_SECRET is not set, so the signature was not compared.")
            return
        record.begin(Step.SIGNATURE, channel)
        earlier = [each for each in self._earlier_sockets if each != socket_id]
        fault = fault_of(app, auth, socket_id, channel, data, earlier_sockets=earlier)
        if fault is not None:
            raise Ended(BY_FAULT[fault])
        if auth.partition(":")[0] != app.key:
            record.notes.append("The signature is right, but its key is another one; Reverb does not check the key.")
