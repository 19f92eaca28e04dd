"""The secrets of the notification targets: the URL of each, and its key. Variables are named after the target."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from sidecar.config.notifications import NotificationTarget, TargetKind
from sidecar.config.places import is_host
from sidecar.config.schema import Config
from sidecar.config.variables import LENGTH_MIN, Hidden, Variable, VariableReader, password_fault, token_fault


class NotificationSecrets(Hidden, frozen=True, kw_only=True):
    """Where one target of notifications is, and what it knows us by."""

    url: str
    """Who knows it may post to it."""
    key: str = ""
    """What a webhook's notifications are signed with, or Grafana's token; empty for Slack, whose URL says it all."""


def notification_secrets(reader: VariableReader, config: Config) -> Mapping[str, NotificationSecrets]:
    """Return what each target needs, as far as it is there; the reader notes what is not."""
    found = {}
    for target in config.notifications.targets if config.notifications is not None else ():
        url = reader.entries(_notification_url(target), _url_fault, required=True, several=False)
        fault = token_fault if target.kind is TargetKind.WEBHOOK else password_fault
        is_needed = target.kind is not TargetKind.SLACK
        key = reader.entries(_notification_key(target), fault, required=True, several=False) if is_needed else ("",)
        if url and key:
            found[target.name] = NotificationSecrets(url=url[0], key=key[0])
    return found


def _notification_url(target: NotificationTarget) -> Variable:
    where = {
        TargetKind.WEBHOOK: "copy it from whoever takes the notifications",
        TargetKind.SLACK: "make an incoming webhook in Slack, and copy its URL",
        TargetKind.GRAFANA: "it is what people open Grafana with, such as https://grafana.example.test",
    }
    return Variable(
        name=f"{target.stem}_URL",
        allowed="a URL beginning with https:// or http://, in printable ASCII, without a user and a fragment",
        remedy=where[target.kind],
    )


def _notification_key(target: NotificationTarget) -> Variable:
    if target.kind is TargetKind.GRAFANA:
        return Variable(
            name=f"{target.stem}_KEY",
            allowed="the token of a service account of Grafana's that may create annotations",
            remedy="make one in Grafana: Administration, Service accounts",
        )
    return Variable(
        name=f"{target.stem}_KEY",
        allowed=f"at least {LENGTH_MIN} printable ASCII characters without spaces and commas: the signing key",
    )


def _url_fault(value: str) -> str | None:
    """Return what is wrong with a URL, without saying any of it: who knows a webhook's may post to it."""
    if not re.fullmatch(r"[!-~]+", value):
        return "a space or another character that is not printable ASCII"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return "what is no URL"
    is_whole = parts.scheme in {"https", "http"} and is_host(parts.hostname or "") and port != 0
    return None if is_whole and parts.username is None and not parts.fragment else "what is no such URL"
