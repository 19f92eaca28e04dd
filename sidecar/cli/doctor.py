"""The command that finds out why a browser cannot subscribe."""

import asyncio
import codecs
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from sidecar import doctor
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, cli, fail, print_json, screen
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
    outcomes: Annotated[bool, typer.Option("--outcomes", help="Print every possible outcome, and exit.")] = False,
    url: Annotated[str, typer.Option("--url", help="Reverb, such as wss://ws.host, in place of a configuration.")] = "",
    app_key: Annotated[str, typer.Option("--app-key", help="REVERB_APP_KEY.")] = "",
    app_id: Annotated[str, typer.Option("--app-id", help="REVERB_APP_ID; optional: send an event too.")] = UNKNOWN_APP,
    origin: Annotated[str, typer.Option("--origin", help="The origin of the page, such as https://app.host.")] = "",
    auth_endpoint: Annotated[str, typer.Option("--auth-endpoint", help="Echo's authEndpoint, as a full URL.")] = "",
    user_id: Annotated[
        str, typer.Option("--user-id", help="The user of the channel; the token is SIDECAR_PROBE_TOKEN.")
    ] = "",
    channel: Annotated[str, typer.Option("--channel", help="The name of a user's channel.")] = DEFAULT_CHANNEL,
) -> None:
    """Find out why a browser cannot subscribe: run one auth probe, or examine a request of the browser.

    The exit code identifies the outcome; 0: success, 2: wrong usage.
    """
    if outcomes:
        typer.echo(doctor.catalogue(), nl=False)
        return
    if replay and curl is None:
        fail("--replay needs --curl, with the file of the request")
    given = {"url": url, "app_key": app_key, "origin": origin, "auth_endpoint": auth_endpoint, "user_id": user_id}
    reverb = _reverb_of(config, given, channel, app_id, is_needed=curl is None or replay)
    secrets = read_probe_secrets(os.environ, Config(environment="doctor", reverb=reverb), all_required=False)
    if curl is not None:
        request = doctor.read_curl(_pasted(curl))
        diagnosis = asyncio.run(doctor.examine_curl(request, reverb, secrets, is_replayed=replay))
    elif reverb is None:
        raise AssertionError  # `_reverb_of` has failed
    else:
        diagnosis = asyncio.run(doctor.examine(reverb, secrets))
    if as_json:
        print_json("doctor", diagnosis, is_indented=True)
    else:
        doctor.print_diagnosis(screen(), diagnosis)
    sys.exit(diagnosis.exit_code)


def _pasted(path: Path) -> str:
    """Return the text of a file, in UTF-8 or UTF-16."""
    try:
        with path.open("rb") as file:
            content = file.read(doctor.BYTES_MAX + 1)
    except OSError as error:
        fail(f"{path}: cannot be read ({error.strerror}); paste the browser's 'Copy as cURL' into a file and name it")
    if len(content) > doctor.BYTES_MAX:
        fail(f"{path}: more than 64 KiB; paste only the request that fails")
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")


def _reverb_of(path: Path, given: dict[str, str], channel: str, app_id: str, *, is_needed: bool) -> Reverb | None:
    """Return the Reverb to examine, from the options alone or from the file."""
    if not any(given.values()):
        if channel != DEFAULT_CHANNEL or app_id != UNKNOWN_APP:
            fail("--app-id and --channel need --url and the others; in a configuration they are keys of `reverb`")
        reverb = read_config(path).reverb if path.exists() else None
        if reverb is None and is_needed:
            fail(
                f"{path} has no `reverb` to examine: add it, or use options: sidecar doctor "
                "--url wss://ws.host --app-key KEY --origin https://app.host "
                "--auth-endpoint https://app.host/broadcasting/auth --user-id 1"
            )
        return reverb
    missing = [f"--{name.replace('_', '-')}" for name, value in given.items() if not value]
    if missing:
        fail(f"without a configuration these options are required too: {', '.join(missing)}")
    return reverb_from_options(channel=channel, app_id=app_id, **given)
