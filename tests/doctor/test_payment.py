"""`sidecar test-payment`: a payment that is judged like others, and is no evidence whichever way it comes."""

import asyncio
import io
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from rich.console import Console

from sidecar.config import Acks, Config, Probe, ProbeSecrets, Reverb, Secrets
from sidecar.core.facts.observations import (
    AckReceived,
    BrowserReported,
    PaymentIgnored,
    PaymentSucceeded,
)
from sidecar.core.facts.outcomes import Outcome
from sidecar.core.facts.policy import Stage
from sidecar.core.fold.state import State
from sidecar.doctor import PaymentDiagnosis, Plan, pay, print_payment
from sidecar.journal.memory import MemoryJournal
from sidecar.probes.payment_trials import PREFIX, TRIALS_MAX, GuardedJournal, PaymentTrials
from sidecar.probes.stripe_webhook import StripeWebhook
from sidecar.probes.webhook_signatures import WebhookSignatures
from tests.e2e.processes import until
from tests.probes.world import APP, TOKEN, world
from tests.shells.browser_reports import SECRET, send
from tests.shells.running import CONFIG, SECRETS, Running, event, running, sign
from tests.shells.test_reports import reported
from tests.waiting import HANGS_AFTER_S

SETUP = Path(__file__).parents[2] / "docs" / "setup.md"
NAME = f"{PREFIX}0"
EVIDENCE = re.compile(
    r"reverb_sidecar_(payments_|payment_outcomes|acks_total|ignored_payments|coverage|outcomes|evidence|unknown_acks|"
    r"stripe_|webhooks_only|payer)"
)


def plan(sidecar: Running, **fields: Any) -> Plan:
    """Return the plan of a test payment through a running sidecar."""
    return Plan(public=sidecar.urls.public, operator=sidecar.urls.operator, **fields)


async def evidence(sidecar: Running) -> list[str]:
    """Return all metrics that a payment or an ack could move."""
    return [line for line in (await sidecar.metrics()).splitlines() if EVIDENCE.match(line) and "# " not in line]


def shown(result: PaymentDiagnosis) -> str:
    """Return the screen of a result."""
    console = Console(width=120, record=True, file=io.StringIO())
    print_payment(console, result)
    return console.export_text()


async def test_a_test_payment_is_judged_and_moves_no_number() -> None:
    """Webhook, ack and verdict have their times; the journal and every metric of payments are as before."""
    async with running() as sidecar:
        before = await evidence(sidecar)
        result = await pay(CONFIG, SECRETS, plan(sidecar))
        assert (result.outcome, result.exit_code) == (Outcome.ON_TIME, 0), result
        assert [(step.name, step.is_ok) for step in result.steps] == [
            (name, True) for name in ("ready", "webhook", "ack", "verdict")
        ]
        screen = shown(result)
        assert "✓ webhook" in screen
        assert "it is in no journal" in screen
        assert await evidence(sidecar) == before
        assert before, "the numbers are there"
        assert await sidecar.metric('reverb_sidecar_webhook_requests_total{result="test_payment"}') == 1
        assert await sidecar.metric('reverb_sidecar_ack_requests_total{result="test_payment"}') == 1
        assert "never matched" not in str(await sidecar.status())
        assert (await sidecar.status())["succeeded"] == 0


@pytest.mark.parametrize(
    "fact",
    [
        PaymentSucceeded(payment_intent=NAME, event_id="evt_1", created_s=1, signed_s=1),
        PaymentIgnored(payment_intent=NAME, event_id="evt_1", reason="other_livemode"),  # type: ignore[arg-type]
        AckReceived(source="backend", stage=Stage.DELIVERED, payment_intent=NAME),
        AckReceived(source="observer", stage=Stage.DELIVERED, payment_intent=NAME),
        AckReceived(source="user_channel", stage=Stage.DELIVERED, payment_intent=NAME),
        AckReceived(source="backend", stage=Stage.SKIPPED, payment_intent=NAME),
    ],
)
async def test_no_source_can_journal_a_test_payment(fact: Any) -> None:
    """The journal that every part gets keeps them out, also from sources that are added later."""
    inner = MemoryJournal()
    guarded = GuardedJournal(inner, PaymentTrials(lambda: pytest.fail("nothing is judged")))
    appended = await guarded.append(fact)
    assert (appended.record.seq, await inner.read(0, 10)) == (0, [])
    real = msgspec.structs.replace(fact, payment_intent="pi_1")
    assert (await guarded.append(real)).record.seq == 1


async def test_a_browsers_report_of_a_test_payment_is_not_journalled() -> None:
    """A payer could name one."""
    secrets = msgspec.structs.replace(SECRETS, browser=(SECRET,))
    async with running(CONFIG, secrets) as sidecar:
        assert (await send(sidecar, reported(payment_intent=NAME)))[0] == 204
        await sidecar.deliver(event("pi_1"))
        await sidecar.metric_is('reverb_sidecar_webhook_requests_total{result="accepted"}', 1)
        assert (await sidecar.status())["payers"]["reports"] == {}
    assert BrowserReported.__struct_fields__[0] == "payment_intent"


async def test_a_test_shows_nothing_about_stripes_clock() -> None:
    """No sample of Stripe's clock is taken."""
    async with running() as sidecar:
        clock = [line for line in (await sidecar.metrics()).splitlines() if 'reference="stripe"' in line]
        await pay(CONFIG, SECRETS, plan(sidecar))
        assert [line for line in (await sidecar.metrics()).splitlines() if 'reference="stripe"' in line] == clock


async def test_a_test_shows_nothing_about_stripes_secret() -> None:
    """Only what Stripe signed ends the suspicion that the secret is another endpoint's."""
    state = State()
    signatures = WebhookSignatures(state, lambda: 1_000)
    trials = PaymentTrials(lambda: pytest.fail("nothing is judged"))
    journal = GuardedJournal(MemoryJournal(), trials)
    webhook = StripeWebhook(journal, CONFIG.stripe, SECRETS.stripe_webhook, None, signatures=signatures)
    for name, verified in ((NAME, 0), ("pi_1", 1)):
        body = msgspec.json.encode(event(name))
        header = sign(body)
        webhook.verify(body, header, webhook.check_header(header))
        assert bool(signatures._verified_ms) is bool(verified)


async def test_the_memory_of_test_payments_is_bounded() -> None:
    """The oldest is forgotten, and its verdict cannot be read any more."""
    async with running() as sidecar:
        for number in range(TRIALS_MAX + 1):
            await sidecar.deliver(event(f"{PREFIX}{number}"))
        for number, status in ((0, 404), (1, 200)):
            async with sidecar.session.get(f"{sidecar.urls.operator}/api/test-payments/{PREFIX}{number}") as answer:
                assert answer.status == status


async def test_with_wait_the_ack_of_the_app_decides_it() -> None:
    """The app gets the same event, signed with its own secret, and sends its ack."""
    secret, got = "whsec_of_the_app_0123456789", []
    async with running() as sidecar:

        async def app(request: web.Request) -> web.Response:
            payment = (await request.json())["data"]["object"]
            got.append((payment["metadata"]["booking_id"], request.headers["Stripe-Signature"][:2]))
            ack = {"stage": "delivered", "payment_intent": payment["id"], "contexts": ["bookings"]}
            await sidecar.ack(ack)
            return web.json_response({})

        async with listening(app) as url:
            wanted = {"is_waiting": True, "app_webhook": url, "app_secret": secret, "metadata": {"booking_id": "17"}}
            result = await pay(CONFIG, SECRETS, plan(sidecar, **wanted))
    assert (result.outcome, [step.name for step in result.steps]) == (
        Outcome.ON_TIME,
        ["ready", "webhook", "app", "verdict"],
    )
    assert got == [("17", "t=")]


async def test_with_wait_an_app_that_sends_nothing_gets_missed_and_the_reason() -> None:
    """The verdict is that of a real payment, by the same objective."""
    config = msgspec.structs.replace(CONFIG, objective=CONFIG.objective)
    async with running(config) as sidecar:
        result = await pay(config, SECRETS, plan(sidecar, is_waiting=True))
    assert (result.outcome, result.exit_code) == (Outcome.MISSED, 1)
    assert any("--app-webhook" in change for change in result.changes)


async def test_an_ack_with_another_context_is_named_in_the_verdict() -> None:
    """The file of the command is newer than the sidecar's: the sidecar's contexts are in force."""
    newer = msgspec.structs.replace(CONFIG, acks=Acks(contexts=("orders",)))
    async with running() as sidecar:
        waiting = asyncio.create_task(pay(newer, SECRETS, plan(sidecar)))
        result = await waiting
    assert (result.outcome, result.exit_code) == (Outcome.MISSED, 1)
    assert "it came for context `orders`; configured is `bookings`" in " ".join(result.changes)


async def test_a_payment_outside_the_filter_says_so() -> None:
    """The metadata of the command replace those that the configuration needs."""
    bare = msgspec.structs.replace(CONFIG, stripe=msgspec.structs.replace(CONFIG.stripe, required_metadata=()))
    async with running() as sidecar:
        result = await pay(bare, SECRETS, plan(sidecar))
    assert (result.outcome, result.exit_code) == (None, 1)
    assert "left out (missing_metadata)" in result.sentence


REFUSED: list[tuple[str, Callable[[Secrets], Secrets], str]] = [
    (
        "webhook",
        lambda them: msgspec.structs.replace(them, stripe_webhook=("whsec_of_another",)),
        "no signature matches",
    ),
    (
        "ack",
        lambda them: msgspec.structs.replace(them, ack_token="another-token-0123456789"),
        "is not SIDECAR_ACK_TOKEN",
    ),
]


@pytest.mark.parametrize(("step", "change", "words"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_a_refusal_ends_it_with_the_sidecars_own_words(
    step: str, change: Callable[[Secrets], Secrets], words: str
) -> None:
    """The failed step is the last, and the exit code says that there is no verdict."""
    async with running() as sidecar:
        result = await pay(CONFIG, change(SECRETS), plan(sidecar))
    assert (result.exit_code, result.outcome) == (2, None)
    assert (result.steps[-1].name, result.steps[-1].is_ok) == (step, False)
    assert words in " ".join(result.changes)


async def test_nothing_that_listens_and_another_program_are_named() -> None:
    """The exit code is 2, and the remedy names the command or the key."""
    nowhere = Plan(public="http://127.0.0.1:1", operator="http://127.0.0.1:1")
    result = await pay(CONFIG, SECRETS, nowhere)
    assert (result.exit_code, "`sidecar run`" in " ".join(result.changes)) == (2, True)

    async def other(_: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    async with listening(other) as url:
        result = await pay(CONFIG, SECRETS, Plan(public=url, operator=url))
    assert (result.exit_code, result.steps[-1].name) == (2, "webhook")


async def test_where_reverb_is_observed_it_broadcasts_as_the_app_would() -> None:
    """The sidecar's sockets receive it: an ack of the sender would not count."""
    async with world() as it:
        reverb = Reverb(
            url=it.target.socket_url.partition("/app/")[0],
            api_url=it.target.api_url,
            app_id=APP.app_id,
            app_key=APP.key,
            origin=it.target.origin,
            auth_endpoint=it.target.auth_endpoint,
            observers=1,
            probe=Probe(user_id="0"),
        )
        config: Config = msgspec.structs.replace(CONFIG, reverb=reverb)
        probe = ProbeSecrets(app_secret=APP.secret, token=TOKEN)
        secrets = msgspec.structs.replace(SECRETS, probe=probe)
        async with running(config, secrets) as sidecar:

            async def is_up() -> bool:
                return bool((await sidecar.status())["reverb"]["sockets_up"])

            await until(is_up, "a socket is subscribed")
            result = await pay(config, secrets, plan(sidecar))
    assert (result.outcome, result.steps[2].where.endswith("/events")) == (Outcome.ON_TIME, True), result


async def test_the_commands_of_the_set_up_page_give_the_same_by_hand() -> None:
    """With `openssl` and `curl` only."""
    script = re.search(r"test_payment.py -->\n +```sh\n(.*?)```", SETUP.read_text(), re.DOTALL)
    assert script is not None
    config = msgspec.structs.replace(CONFIG, stripe=msgspec.structs.replace(CONFIG.stripe, required_metadata=()))
    async with running(config) as sidecar:
        text = script[1].replace("http://127.0.0.1:8700", sidecar.urls.public)
        text = text.replace("http://127.0.0.1:8701", sidecar.urls.operator).replace(
            "curl ", "curl -sS --fail-with-body "
        )
        env = os.environ | {
            "STRIPE_WEBHOOK_SECRET": SECRETS.stripe_webhook[0],
            "SIDECAR_ACK_TOKEN": SECRETS.ack_token,
        }
        command = ["bash", "-eu", "-o", "pipefail", "-c", text]
        shell = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, timeout=HANGS_AFTER_S, env=env
        )
    assert shell.returncode == 0, shell.stdout + shell.stderr
    assert '"outcome":"on_time"' in shell.stdout


class listening:  # noqa: N801 - read as a statement
    """A server on loopback that answers all with one handler."""

    def __init__(self, handler: Callable[[web.Request], Any]) -> None:
        app = web.Application()
        app.router.add_route("*", "/{any:.*}", handler)
        self._runner = web.AppRunner(app)

    async def __aenter__(self) -> str:
        """Listen, and return the URL."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self._runner.cleanup()
