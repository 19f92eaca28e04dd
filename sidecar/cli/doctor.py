"""The command that says why a browser cannot listen."""

import asyncio
import codecs
import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from sidecar import doctor
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, cli, fail
from sidecar.config import (
    DEFAULT_CHANNEL,
    UNKNOWN_APP,
    Config,
    Reverb,
    read_config,
    read_probe_secrets,
    reverb_from_options,
)


@cli.command(name="doctor")
def run_doctor(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
    curl: Annotated[
        Path | None, typer.Option("--curl", help='A file with the failing request, from the browser\'s "Copy as cURL".')
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Send the request of --curl again.")] = False,
    outcomes: Annotated[bool, typer.Option("--outcomes", help="Print all that it can say, and end.")] = False,
    url: Annotated[str, typer.Option("--url", help="Without a configuration: Reverb, such as wss://ws.host.")] = "",
    app_key: Annotated[str, typer.Option("--app-key", help="REVERB_APP_KEY.")] = "",
    app_id: Annotated[
        str, typer.Option("--app-id", help="REVERB_APP_ID; optional, to send an event too.")
    ] = UNKNOWN_APP,
    origin: Annotated[str, typer.Option("--origin", help="Of the page, such as https://app.host.")] = "",
    auth_endpoint: Annotated[str, typer.Option("--auth-endpoint", help="Echo's authEndpoint, in full.")] = "",
    user_id: Annotated[str, typer.Option("--user-id", help="Whose channel; the token is SIDECAR_PROBE_TOKEN.")] = "",
    channel: Annotated[str, typer.Option("--channel", help="How such a channel is named.")] = DEFAULT_CHANNEL,
) -> None:
    """Say why a browser cannot listen: auth probe its way once, or look at a request that it made.

    The exit code is the outcome's own; 0: all is well, 2: wrong usage.
    """
    if outcomes:
        typer.echo(doctor.catalogue(), nl=False)
        return
    if replay and curl is None:
        fail("--replay sends the request of --curl again: name its file")
    words = {"url": url, "app_key": app_key, "origin": origin, "auth_endpoint": auth_endpoint, "user_id": user_id}
    reverb = _reverb_of(config, words, channel, app_id, is_needed=curl is None or replay)
    secrets = read_probe_secrets(os.environ, Config(environment="doctor", reverb=reverb), all_required=False)
    if curl is not None:
        request = doctor.read_curl(_pasted(curl))
        told = asyncio.run(doctor.examine_curl(request, reverb, secrets, is_replayed=replay))
    elif reverb is None:
        raise AssertionError  # `_reverb_of` has failed
    else:
        told = asyncio.run(doctor.examine(reverb, secrets))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        doctor.print_diagnosis(Console(highlight=False), told)
    sys.exit(told.exit_code)


def _pasted(path: Path) -> str:
    """Return what a person pasted into a file, whatever wrote it."""
    try:
        with path.open("rb") as file:
            content = file.read(doctor.BYTES_MAX + 1)
    except OSError as error:
        fail(f"{path}: cannot be read ({error.strerror}); paste the browser's Copy as cURL into a file and name it")
    if len(content) > doctor.BYTES_MAX:
        fail(f"{path}: is more than 64 KiB; paste the one request that fails")
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")


def _reverb_of(path: Path, words: dict[str, str], channel: str, app_id: str, *, is_needed: bool) -> Reverb | None:
    """Return what is to be examined: by the options alone, or by the file."""
    if not any(words.values()):
        if channel != DEFAULT_CHANNEL or app_id != UNKNOWN_APP:
            fail("--app-id and --channel go with --url and the others; in a configuration they stand in `reverb`")
        reverb = read_config(path).reverb if path.exists() else None
        if reverb is None and is_needed:
            fail(
                f"{path} does not say what to examine: add `reverb` to it, or say it here: sidecar doctor "
                "--url wss://ws.host --app-key KEY --origin https://app.host "
                "--auth-endpoint https://app.host/broadcasting/auth --user-id 1"
            )
        return reverb
    missing = [f"--{name.replace('_', '-')}" for name, value in words.items() if not value]
    if missing:
        fail(f"without a configuration these are needed too: {', '.join(missing)}")
    return reverb_from_options(channel=channel, app_id=app_id, **words)
