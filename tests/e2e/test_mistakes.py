"""The mistakes of `docs/mistakes.md`: each is made, and gets the message of the table."""

import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from sidecar.config import sample
from tests.e2e.processes import free_port, until
from tests.e2e.test_init import REVERB, WEBHOOK, loaded, sidecar
from tests.shells.browser_reports import SECRET, send, token
from tests.shells.running import CONFIG, SECRETS, Running, event, running
from tests.shells.test_reports import reported

PAGE = (Path(__file__).parents[2] / "docs" / "mistakes.md").read_text()
ROWS = dict(re.findall(r"^\| (.+?) \| .+? \| (.+) \|$", PAGE, re.MULTILINE))
ROWS = {mistake: says for mistake, says in ROWS.items() if set(mistake) != {"-"} and mistake != "mistake"}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, without secrets in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("SIDECAR_CONFIG", *SECRETS_OF_A_SHELL):
        monkeypatch.delenv(name, raising=False)


SECRETS_OF_A_SHELL = ("STRIPE_WEBHOOK_SECRET", "SIDECAR_ACK_TOKEN", "SIDECAR_OPERATOR_TOKENS", "SIDECAR_TOKEN")


def checked(text: str) -> str:
    """Return what `check` says about a file."""
    Path("sidecar.yaml").write_text(text)
    return sidecar("check")[1]


def made(*options: str) -> None:
    """Make a configuration on free ports, with secrets."""
    addresses = ("--public", f"127.0.0.1:{free_port()}", "--operator", f"127.0.0.1:{free_port()}")
    code, shown = sidecar("init", "--yes", *addresses, *options, env={"STRIPE_WEBHOOK_SECRET": WEBHOOK})
    assert code == 0, shown


def init_twice() -> str:
    """Write a configuration where there is one."""
    made()
    return sidecar("init", "--yes")[1]


def not_loaded() -> str:
    """Check without the secrets in the environment."""
    made()
    return sidecar("check", "--here")[1]


def api_key() -> str:
    """Use Stripe's API key."""
    made()
    return sidecar("check", "--here", env=loaded() | {"STRIPE_WEBHOOK_SECRET": "sk_live_0123456789"})[1]


def shared_token() -> str:
    """Use one token for the backend and for an operator."""
    made()
    secrets = loaded()
    operators = f"ada:operate:{secrets['SIDECAR_ACK_TOKEN']}"
    return sidecar("check", "--here", env=secrets | {"SIDECAR_OPERATOR_TOKENS": operators})[1]


def port_taken() -> str:
    """Start where another program listens; nothing is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        made("--force", "--public", f"127.0.0.1:{port}")
        shown = sidecar("check", "--here", env=loaded())[1]
    assert not list(Path().glob("*.db"))
    return shown


def no_folder() -> str:
    """Name a journal in a folder that does not exist."""
    made()
    text = Path("sidecar.yaml").read_text()
    Path("sidecar.yaml").write_text(text.replace("sqlite:reverb-sidecar.db", "sqlite:none/j.db"))
    return sidecar("check", "--here", env=loaded())[1]


def mixed_content() -> str:
    """Name a Reverb that browsers block."""
    made(*(word.replace("wss://", "ws://") for word in REVERB))
    return sidecar("check")[1]


ON_A_MACHINE: dict[str, Callable[[], str]] = {
    "a command in a folder without a configuration": lambda: sidecar("status")[1],
    "a misspelt key": lambda: checked("environment: x\npolcy: {lease: 30s}\n"),
    "a duration without a unit": lambda: checked("environment: x\npolicy: {lease: 30}\n"),
    "one context without brackets": lambda: checked("environment: x\nacks: {contexts: bookings}\n"),
    "a user id without quotes": lambda: checked(
        sample.filled({"reverb.url": "wss://ws.example.test", "reverb.probe.user_id": "7"})
    ),
    "Reverb without encryption on an https page": mixed_content,
    "`init` where there is a configuration": init_twice,
    "`.env` is not loaded": not_loaded,
    "Stripe's API key in place of the signing secret": api_key,
    "the backend's token is an operator's too": shared_token,
    "another program has the port": port_taken,
    "the journal's folder does not exist": no_folder,
}


async def warned(it: Running, words: str) -> str:
    """Wait until the status says it, and return all its warnings."""

    async def is_there() -> str:
        warnings = " ".join((await it.status())["warnings"])
        return warnings if words in warnings else ""

    return str(await until(is_there, words))


async def other_secret(it: Running) -> str:
    """Deliver an event that is signed for another endpoint."""
    return str((await it.deliver(event(), secret="whsec_of_another_endpoint"))[1])


async def thin(it: Running) -> str:
    """Deliver a thin event."""
    body = {
        "id": "evt_1", "object": "v2.core.event", "type": "v1.payment_intent.succeeded",
        "created": "2026-11-22T00:00:00Z", "related_object": {"id": "pi_1"},
    }  # fmt: skip
    assert (await it.deliver(body))[0] == 200
    return await warned(it, "thin events")


async def other_token(it: Running) -> str:
    """Send an ack with another token."""
    return str((await it.ack({"stage": "paid", "payment_intent": "pi_1"}, token="x" * 24))[1])


async def other_context(it: Running) -> str:
    """Send an ack for another context."""
    answer = await it.ack({"stage": "delivered", "payment_intent": "pi_1", "contexts": ["booking"]})
    return f"{answer[1]['message']} {await warned(it, 'One ack came for context')}"


async def other_mode(it: Running) -> str:
    """Pay in test mode, and send its ack."""
    await it.deliver(event("pi_1", livemode=False))
    await it.metric_is('reverb_sidecar_ignored_payments_total{reason="other_livemode"}', 1)
    answer = await it.ack({"stage": "delivered", "payment_intent": "pi_1"})
    return f"{answer[1]['message']} {await warned(it, 'One ack came for a payment of the other mode')}"


async def other_user(it: Running) -> str:
    """Send an ack with the user id of another table."""
    answer = await it.ack({"stage": "delivered", "user_id": "4711"})
    return f"{answer[1]['message']} {await warned(it, 'a user who has no open one')}"


async def no_acks(it: Running) -> str:
    """Pay, and send nothing."""
    await it.deliver(event("pi_1"))
    return await warned(it, "No ack")


async def other_audience(it: Running) -> str:
    """Send a browser's report with a token for another service."""
    status, body, _ = await send(it, reported(token=token(aud="another")))
    assert status == 401
    await warned(it, "A browser report was refused")
    return body.decode()


WITH_A_SIDECAR: dict[str, Callable[[Running], Awaitable[str]]] = {
    "the signing secret of another endpoint": other_secret,
    "thin events in place of snapshots": thin,
    "another ack token in the backend": other_token,
    "another context in the backend": other_context,
    "test payments, and `livemode: true`": other_mode,
    "the user id of another table": other_user,
    "no acks at all": no_acks,
    "the browsers' token of another service": other_audience,
}


def test_the_table_has_twenty_mistakes_and_each_is_made() -> None:
    """A row without a test is a promise, and a test without a row is found by nobody."""
    assert set(ROWS) == {*ON_A_MACHINE, *WITH_A_SIDECAR}
    assert len(ROWS) == 20


@pytest.mark.parametrize("mistake", ON_A_MACHINE)
def test_a_mistake_on_the_machine_gets_its_message(mistake: str) -> None:
    """From a command, before anything runs."""
    shown = " ".join(ON_A_MACHINE[mistake]().split())
    assert ROWS[mistake] in shown, shown


@pytest.mark.parametrize("mistake", WITH_A_SIDECAR)
async def test_a_mistake_between_the_parts_gets_its_message(mistake: str) -> None:
    """In the answer and in the status of a running sidecar."""
    secrets = msgspec.structs.replace(SECRETS, browser=(SECRET,))
    async with running(CONFIG, secrets) as it:
        shown = " ".join((await WITH_A_SIDECAR[mistake](it)).split())
    assert ROWS[mistake] in shown, shown
