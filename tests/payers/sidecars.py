"""A sidecar in a separate process that serves the wanted mode, without the weeks of its ladder.

A journal is prepared: a policy, a payment that was on time, and the decision to climb, as a controller would have
appended it. From there on everything is the production process: it starts, probes Reverb until it sees again, and
serves what the journal says for as long as its lease holds.
"""

import os
from pathlib import Path

from sidecar import clock
from sidecar.config import policy_of, read_config
from sidecar.core.facts.auth_probes import AuthProbeOutcome
from sidecar.core.facts.observations import (
    AckReceived,
    Climbed,
    Heartbeat,
    Observation,
    ObserverChanged,
    PaymentSucceeded,
    PolicyAdopted,
    Started,
)
from sidecar.core.facts.policy import Mode, Stage, policy_hash
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import State
from sidecar.journal import open_journal
from tests.e2e.processes import SidecarProcess
from tests.payers.reverb import APP, observer_channel_of
from tests.shells import browser_reports

PROBE_USER, PROBE_TOKEN = "0", "probe-token-of-user-0"

_CONFIG = """
environment: payers
stripe: {{user_key: user_id, required_metadata: [booking_id]}}
reverb:
  url: ws://127.0.0.1:{reverb_port}
  app_id: "501"
  app_key: liverefresh-key
  origin: http://127.0.0.1:{page_port}
  auth_endpoint: http://127.0.0.1:{auth_port}/broadcasting/auth
  observers: 1
  observer_channel: {observer_channel}
  probe: {{user_id: "0", round_trip_every: 1s, auth_every: 10s}}
objective: {{reliability: 60%}}
policy:
  unacceptable_reliability: 30%
  false_alarm_once_in: 10000000
  coverage: 1%
  coverage_floor: 0%
  reach: 50%
  lease: 30s
ladder:
  - {{mode: timer_polling, soak: 72h}}
  - {{mode: {mode}}}
"""
"""The lease of production, and alarms so insensitive that the faults of some payers do not move the flag."""


class Reachable:
    """The addresses that a sidecar probes."""

    def __init__(self, *, reverb_port: int, auth_port: int, page_port: int) -> None:
        self.reverb_port, self.auth_port, self.page_port = reverb_port, auth_port, page_port


async def prepared(folder: Path, where: Reachable, mode: Mode) -> SidecarProcess:
    """Return a sidecar that serves this mode once it is started."""
    folder.mkdir()  # noqa: ASYNC240 - a moment, before anything runs
    best = Mode.PUSH_WITH_SAFETY_NET if mode is Mode.TIMER_POLLING else mode
    config = _CONFIG.format(
        reverb_port=where.reverb_port,
        auth_port=where.auth_port,
        page_port=where.page_port,
        observer_channel=observer_channel_of(folder.name),
        mode=best.value,
    )
    sidecar = SidecarProcess(folder, config)
    sidecar.environment = os.environ | {
        "REVERB_APP_SECRET": APP.secret,
        "SIDECAR_PROBE_TOKEN": PROBE_TOKEN,
        "SIDECAR_BROWSER_SECRET": browser_reports.SECRET,
    }
    await _prepare(sidecar, mode)
    return sidecar


async def _prepare(sidecar: SidecarProcess, mode: Mode) -> None:
    config = read_config(sidecar.config)
    policy, state = policy_of(config), State()
    journal = await open_journal(config.journal)

    async def see(fact: Observation) -> None:
        fold(state, (await journal.append(fact)).record)

    await see(Started(replica="before", version="test"))
    await see(PolicyAdopted(policy=policy, policy_hash=policy_hash(policy), adoption=0, actor="test", reason="test"))
    await see(ObserverChanged(replica="before", observer=0, is_up=True, outcome=AuthProbeOutcome.OK))
    now_s = clock.wall_ms() // 1000
    await see(PaymentSucceeded(payment_intent="pi_before", event_id="evt_before", created_s=now_s, signed_s=now_s))
    await see(AckReceived(source="observer", stage=Stage.DELIVERED, payment_intent="pi_before"))
    await see(Heartbeat(replica="before", beat=1))
    if mode is not Mode.TIMER_POLLING:
        flag = state.flag
        await see(
            Climbed(replica="before", to_rung=1, version=flag.version, guard_version=flag.guard_version, gates=())
        )
        assert state.flag.rung == 1
    await journal.close()
