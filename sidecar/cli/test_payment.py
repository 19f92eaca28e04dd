"""The command that sends one test payment through a running sidecar."""

import asyncio
import os
import sys
from typing import Annotated

import typer

from sidecar import doctor
from sidecar.cli.operator_client import local_url, own_token
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, cli, fail, print_json, read_file, screen
from sidecar.config import read_secrets


@cli.command(name="test-payment")
def send_test_payment(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Send no ack: wait for the app's ack or broadcast.")] = False,
    app_webhook: Annotated[
        str,
        typer.Option(
            "--app-webhook",
            help="With --wait: also send the event to the app; the secret is STRIPE_APP_WEBHOOK_SECRET.",
        ),
    ] = "",
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="Metadata of the payment; repeatable.")
    ] = None,
    public_url: Annotated[
        str, typer.Option("--public-url", help="The public listener through your proxy, such as https://sidecar.host.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Send one signed test webhook and an ack through the running sidecar, and print the verdict with each step's time.

    Test payments are judged apart: none is in the journal, and none is evidence.
    """
    read = read_file(config)
    secrets = read_secrets(os.environ, read)
    app_secret = os.environ.get("STRIPE_APP_WEBHOOK_SECRET", "")
    if app_webhook and not (wait and app_secret):
        fail("--app-webhook needs --wait, and the secret of the app's endpoint in STRIPE_APP_WEBHOOK_SECRET")
    pairs = [each.partition("=") for each in metadata or ()]
    if any(not equals or not key for key, equals, _ in pairs):
        fail("--metadata has the form KEY=VALUE")
    if not as_json and wait:
        typer.echo(
            f"Waiting up to {read.objective.missed_after_ms / 1000:g} s for the app's ack or broadcast.", err=True
        )
    plan = doctor.Plan(
        public=(public_url or local_url(read.listen.public)).rstrip("/"),
        operator=local_url(read.listen.operator),
        token=own_token(),
        is_waiting=wait,
        app_webhook=app_webhook,
        app_secret=app_secret,
        metadata={key: value for key, _, value in pairs},
    )
    result = asyncio.run(doctor.pay(read, secrets, plan))
    if as_json:
        print_json("test-payment", result, is_indented=True)
    else:
        doctor.print_payment(screen(), result)
    sys.exit(result.exit_code)
