"""The policy: the part of the configuration that the fold uses and the journal records."""

from urllib.parse import urlsplit

from sidecar.config.reverb import Reverb
from sidecar.config.schema import DEFAULT_REACH_PPM, Config, LadderRung, ReachWaived
from sidecar.core.facts.event_names import canonical
from sidecar.core.facts.policy import (
    AUTH_PROBES_PPM,
    LADDER_OFF,
    PPM,
    ROUND_TRIPS_PPM,
    Lifecycle,
    Policy,
    ReverbPolicy,
    ReverbTarget,
    Rung,
    StripePolicy,
)

_DEFAULT_PORTS = {"wss": 443, "https": 443, "ws": 80, "http": 80}


def policy_of(config: Config) -> Policy:
    """Return the policy of a configuration. Keys of `objective` and `policy` have the same names in both."""
    reach = config.policy.reach
    same = {
        name: getattr(section, name)
        for section in (config.objective, config.policy)
        for name in section.__struct_fields__
        if name in Policy.__struct_fields__
    }
    return Policy(
        environment=config.environment,
        flag=config.flag,
        stage=config.acks.stage,
        contexts=config.acks.contexts,
        reach_ppm=DEFAULT_REACH_PPM if isinstance(reach, ReachWaived) else reach,
        reach_not_required=reach.not_required if isinstance(reach, ReachWaived) else None,
        ladder=_ladder(config),
        reverb=_reverb(config.reverb, config.acks.event),
        lifecycle=config.lifecycle,
        stripe=StripePolicy(
            livemode=config.stripe.livemode,
            required_metadata=config.stripe.required_metadata,
            user_key=config.stripe.user_key,
        ),
        **same,
    )


def _ladder(config: Config) -> tuple[Rung, ...]:
    """Return the ladder of the file, or none with `lifecycle: removed`, where the file keeps it for a return."""
    if config.lifecycle is Lifecycle.REMOVED:
        return LADDER_OFF
    return tuple(_rung(rung) for rung in config.ladder)


def _rung(rung: LadderRung) -> Rung:
    """Return the policy's rung."""
    return Rung(
        mode=rung.mode,
        share_ppm=_same(rung.share_ppm, PPM),
        soak_ms=rung.soak_ms,
        approval_required=rung.approval_required,
    )


def _reverb(reverb: Reverb | None, event: str) -> ReverbPolicy | None:
    if reverb is None:
        return None
    return ReverbPolicy(
        round_trip_every_ms=reverb.probe.round_trip_every_ms,
        auth_every_ms=reverb.probe.auth_every_ms,
        is_observing=reverb.observers > 0,
        round_trip_reliability_ppm=_same(reverb.probe.round_trip_reliability_ppm, ROUND_TRIPS_PPM),
        auth_reliability_ppm=_same(reverb.probe.auth_reliability_ppm, AUTH_PROBES_PPM),
        event=canonical(event),
        target=ReverbTarget(
            url=_canonical(reverb.url),
            app_id=reverb.app_id,
            app_key=reverb.app_key,
            auth_endpoint=_canonical(reverb.auth_endpoint),
            channel=reverb.channel,
            observer_channel=reverb.observer_channel,
        ),
    )


def _canonical(url: str) -> str:
    """Return a URL so that two spellings of one address are equal: another address costs all evidence."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _same(number: int, default: int) -> int:
    """Return the default object itself for an equal number: msgspec omits a default by identity."""
    return default if number == default else number
