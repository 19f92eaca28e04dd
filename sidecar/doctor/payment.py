"""One test payment through a running sidecar: webhook, ack and verdict, with the time of each step."""

import asyncio
import enum
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec

from sidecar import clock, randomness
from sidecar.config import Config, Secrets, policy_of
from sidecar.core.facts.outcomes import Outcome
from sidecar.doctor.steps import Step
from sidecar.probes.payment_trials import PREFIX, PaymentTrial
from sidecar.probes.redaction import shown_url, tidy
from sidecar.probes.stripe_webhook import SUCCEEDED, WebhookResult
from sidecar.probes.target import target_of
from sidecar.pusher.signing import signed_target

TEST_USER = "sidecar-test"
_WITHIN_S = 10.0
_LOOK_S = 0.05
_SHOWN_MAX = 400
_UNDECIDED_S = 5.0
"""The verdict on an ack of one's own takes no longer: it was sent before the sidecar was asked."""
_LAG_S = 5.0


class PaymentStep(enum.StrEnum):
    """The steps of a test payment, in their order."""

    READY = "ready"
    WEBHOOK = "webhook"
    APP = "app"
    """The same event, sent to the app too."""
    ACK = "ack"
    VERDICT = "verdict"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Where a test payment is sent, and what is waited for."""

    public: str
    """The URL of the public listener, such as that of the proxy before it."""
    operator: str
    token: str = ""
    """For reading from the operator listener; empty: it needs none."""
    is_waiting: bool = False
    """Wait for the ack or the broadcast of the app, and send none."""
    app_webhook: str = ""
    """Also send the event to the app at this URL; empty: do not."""
    app_secret: str = ""
    """What signs it for the app."""
    metadata: Mapping[str, str] = {}


class PaymentDiagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a test payment; `--json` prints it."""

    payment_intent: str
    outcome: Outcome | None
    """None: there is no verdict."""
    took_ms: int | None
    """From the webhook to the ack that decided."""
    exit_code: int
    """0: on time; 1: late, missed or not judged; 2: there is no verdict."""
    sentence: str
    changes: tuple[str, ...] = ()
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


class _Failed(Exception):  # noqa: N818 - ends the payment at a step
    def __init__(self, sentence: str, *changes: str) -> None:
        super().__init__(sentence)
        self.sentence, self.changes = sentence, changes


class _Row(msgspec.Struct, kw_only=True):
    sent: str = ""
    received: str = ""


class _Payment:
    """One test payment, step by step."""

    def __init__(self, config: Config, secrets: Secrets, plan: Plan, session: aiohttp.ClientSession) -> None:
        self._config, self._secrets, self._plan, self._session = config, secrets, plan, session
        self._policy = policy_of(config)
        self.name = f"{PREFIX}{randomness.token_hex(8)}"
        self.steps: list[Step] = []

    async def run(self) -> PaymentDiagnosis:
        """Take all steps, and return the diagnosis."""
        try:
            await self._ready()
            await self._webhook()
            if self._plan.app_webhook:
                await self._app()
            if not self._plan.is_waiting:
                await self._ack()
            return await self._verdict()
        except _Failed as failed:
            return PaymentDiagnosis(
                payment_intent=self.name,
                outcome=None,
                took_ms=None,
                exit_code=2,
                sentence=failed.sentence,
                changes=failed.changes,
                steps=tuple(self.steps),
            )

    @asynccontextmanager
    async def _step(self, step: PaymentStep, where: str) -> AsyncIterator[_Row]:
        row, began_s, is_ok = _Row(), clock.monotonic_s(), False
        try:
            yield row
            is_ok = True
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            row.received = f"nothing ({type(error).__name__})"
            raise _Failed(f"Nothing answers at {shown_url(where)}.", _REMEDIES[step]) from error
        finally:
            took_ms = 1000 * (clock.monotonic_s() - began_s)
            done = Step(
                name=step, where=shown_url(where), is_ok=is_ok, took_ms=took_ms, sent=row.sent, received=row.received
            )  # fmt: skip
            self.steps.append(done)

    async def _ready(self) -> None:
        async with self._step(PaymentStep.READY, f"{self._plan.operator}/readyz") as row:
            status, answer = await self._call("GET", f"{self._plan.operator}/readyz")
            row.received = f"{status}"
            if status != HTTPStatus.OK:
                whys = [f"{each['name']}: {each['why']}" for each in answer.get("parts", ()) if not each["is_ready"]]
                raise _Failed("The sidecar is not ready, so it would judge no payment.", *whys)

    async def _webhook(self) -> None:
        url = f"{self._plan.public}/stripe/webhook"
        async with self._step(PaymentStep.WEBHOOK, url) as row:
            row.sent = f"{SUCCEEDED} of {self.name}, signed with STRIPE_WEBHOOK_SECRET"
            status, answer = await self._deliver(url, self._secrets.stripe_webhook[0])
            row.received = _shown(status, answer)
            if status != HTTPStatus.OK:
                raise _Failed("The sidecar refuses the webhook.", str(answer.get("message", "see what was received")))
            if answer.get("result") != WebhookResult.TEST_PAYMENT:
                raise _Failed(
                    "What answers is no sidecar that knows test payments.",
                    "Is another program, or an older version, listening there? See listen.public",
                )

    async def _app(self) -> None:
        url = self._plan.app_webhook
        async with self._step(PaymentStep.APP, url) as row:
            row.sent = "the same event, signed with STRIPE_APP_WEBHOOK_SECRET"
            status, answer = await self._deliver(url, self._plan.app_secret)
            row.received = _shown(status, answer)
            if status >= HTTPStatus.MULTIPLE_CHOICES:
                raise _Failed(
                    "The app refuses the webhook.",
                    "STRIPE_APP_WEBHOOK_SECRET is the signing secret of the app's own endpoint",
                    "The app's log has the reason",
                )

    async def _ack(self) -> None:
        if self._policy.reverb is not None and self._policy.reverb.is_observing:
            await self._broadcast()
            return
        url = f"{self._plan.public}/acks"
        async with self._step(PaymentStep.ACK, url) as row:
            stage = self._policy.stage
            row.sent = f"an ack of stage {stage}, with SIDECAR_ACK_TOKEN"
            body = {"stage": stage, "payment_intent": self.name, "contexts": self._config.acks.contexts[:1]}
            headers = {"Authorization": f"Bearer {self._secrets.ack_token}"}
            status, answer = await self._call("POST", url, msgspec.json.encode(body), headers)
            row.received = _shown(status, answer)
            if status != HTTPStatus.OK:
                raise _Failed("The sidecar refuses the ack.", str(answer.get("message", "see what was received")))

    async def _broadcast(self) -> None:
        """Send the event as the app would: the sidecar's sockets receive it."""
        assert self._config.reverb is not None  # noqa: S101 - the policy has one
        assert self._secrets.probe is not None  # noqa: S101 - they were read for this configuration
        target = target_of(self._config.reverb, self._secrets.probe)
        url, path = target.api_url, f"/apps/{target.app.app_id}/events"
        async with self._step(PaymentStep.ACK, f"{url}{path}") as row:
            row.sent = f"{self._config.acks.event} on {target.observer_channel}, through Reverb's API"
            data = {"contexts": self._config.acks.contexts[:1], "payment_intent": self.name}
            event = {"name": self._config.acks.event, "channel": target.observer_channel}
            body = msgspec.json.encode({**event, "data": msgspec.json.encode(data).decode()})
            signed = signed_target(target.app, "POST", path, body, timestamp_s=clock.wall_ms() // 1000)
            status, answer = await self._call("POST", f"{url}{signed}", body, {"Content-Type": "application/json"})
            row.received = _shown(status, answer)
            if status != HTTPStatus.OK:
                raise _Failed("Reverb's API refuses the broadcast.", "Run `sidecar doctor`: it finds out why")

    async def _verdict(self) -> PaymentDiagnosis:
        url = f"{self._plan.operator}/api/test-payments/{self.name}"
        until_s = clock.monotonic_s() + self._patience_s()
        async with self._step(PaymentStep.VERDICT, url) as row:
            while True:
                status, answer = await self._call("GET", url)
                if status != HTTPStatus.OK:
                    row.received = _shown(status, answer)
                    raise _Failed("The verdict cannot be read.", str(answer.get("message", "see what was received")))
                trial = msgspec.convert(answer, PaymentTrial)
                if trial.outcome is not None or trial.ignored is not None or clock.monotonic_s() >= until_s:
                    break
                await asyncio.sleep(_LOOK_S)
            row.received = trial.outcome or "not judged"
        return self._diagnosis(trial)

    def _patience_s(self) -> float:
        return self._policy.missed_after_ms / 1000 + _LAG_S if self._plan.is_waiting else _UNDECIDED_S

    def _diagnosis(self, trial: PaymentTrial) -> PaymentDiagnosis:
        allowed, changes = (
            f"{trial.on_time_within_ms} ms",
            tuple(f"An ack: {each.why_not}" for each in trial.acks if each.why_not),
        )
        if trial.outcome in {Outcome.ON_TIME, Outcome.LATE}:
            sentence = (
                f"{trial.outcome}: the ack came {trial.took_ms} ms after the webhook; on time is under {allowed}."
            )
        elif trial.ignored is not None:
            sentence = f"Not judged: a payment like it is left out ({trial.ignored})."
            changes = (*changes, "Compare --metadata with stripe.required_metadata and stripe.livemode")
        elif self._plan.is_waiting:
            sentence = f"missed: no ack of stage {trial.stage} decided it within {trial.missed_after_ms} ms."
            changes = (*changes, *_WAITED)
        else:
            sentence = "No verdict: the ack was sent, and has not decided the payment."
            changes = changes or ("If Reverb is probed: are its sockets up? See `sidecar status`",)
        is_judged = trial.outcome is not None
        return PaymentDiagnosis(
            payment_intent=self.name,
            outcome=trial.outcome,
            took_ms=trial.took_ms,
            exit_code=0 if trial.outcome is Outcome.ON_TIME else 1,
            sentence=sentence,
            changes=() if trial.outcome is Outcome.ON_TIME else changes,
            steps=tuple(self.steps),
            notes=("It was a test: it is in no journal, no statistics and no metric of payments.",)
            if is_judged
            else (),
        )

    async def _deliver(self, url: str, secret: str) -> tuple[int, dict[str, Any]]:
        """Send the event as Stripe does."""
        body, at_s = self._event(), clock.wall_ms() // 1000
        signature = hmac.digest(secret.encode(), f"{at_s}.".encode() + body, "sha256").hex()
        headers = {"Stripe-Signature": f"t={at_s},v1={signature}", "Content-Type": "application/json"}
        return await self._call("POST", url, body, headers)

    def _event(self) -> bytes:
        stripe = self._config.stripe
        wanted = (*stripe.required_metadata, *((stripe.user_key,) if stripe.user_key else ()))
        intent = {
            "id": self.name,
            "object": "payment_intent",
            "amount": 100,
            "currency": "usd",
            "livemode": stripe.livemode,
            "metadata": {**dict.fromkeys(wanted, TEST_USER), **self._plan.metadata},
            "status": "succeeded",
        }
        event = {
            "id": self.name.replace("pi_", "evt_", 1),
            "object": "event",
            "type": SUCCEEDED,
            "created": clock.wall_ms() // 1000,
            "livemode": stripe.livemode,
            "data": {"object": intent},
        }
        return msgspec.json.encode(event)

    async def _call(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        named = dict(headers or {})
        if url.startswith(self._plan.operator) and self._plan.token:
            named["Authorization"] = f"Bearer {self._plan.token}"
        async with self._session.request(method, url, data=body, headers=named, allow_redirects=False) as response:
            content = await response.content.read(64 * 1024)
        try:
            answer = msgspec.json.decode(content)
        except msgspec.DecodeError:
            answer = {"message": tidy(content[:_SHOWN_MAX].decode(errors="replace"))}
        return response.status, answer if isinstance(answer, dict) else {}


_REMEDIES = {
    PaymentStep.READY: "Start the sidecar with `sidecar run`, or see listen.operator",
    PaymentStep.WEBHOOK: "See listen.public; with --public-url, see the proxy before it",
    PaymentStep.APP: "See --app-webhook, and whether the app runs",
    PaymentStep.ACK: "See listen.public; where Reverb is probed, see reverb.api_url",
    PaymentStep.VERDICT: "The sidecar was stopped meanwhile; see its log",
}
_WAITED = (
    "The app sends an ack, or broadcasts, only for events that it receives: --app-webhook sends it this one",
    "The ack or the broadcast must name the payment in `payment_intent`",
)


def _shown(status: int, answer: Mapping[str, Any]) -> str:
    text = str(answer.get("result") or answer.get("message") or "")
    return tidy(f"{status} {text}".strip()[:_SHOWN_MAX])


async def pay(config: Config, secrets: Secrets, plan: Plan) -> PaymentDiagnosis:
    """Send one test payment through a running sidecar, and return its diagnosis."""
    timeout = aiohttp.ClientTimeout(total=_WITHIN_S)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
        return await _Payment(config, secrets, plan, session).run()
