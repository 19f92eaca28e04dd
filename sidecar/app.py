"""The composition root: configuration → objects → actors in one `TaskGroup`. Nothing else knows how it all fits."""

import asyncio
import secrets as random_secrets
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import structlog
from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler

from sidecar import __version__, clock, metrics
from sidecar.config import Config, Secrets, policy_of
from sidecar.console.operator import Operator
from sidecar.console.status import Status, status_of
from sidecar.core.observations import PolicyAdopted, Started
from sidecar.core.policy import policy_hash
from sidecar.core.serving import Served
from sidecar.core.state import State
from sidecar.flags.answers import Answers
from sidecar.flags.controller import Controller
from sidecar.flags.lease import Lease
from sidecar.flags.routes import flag_routes
from sidecar.http.connections import public_max
from sidecar.http.health import Health
from sidecar.http.server import Listener
from sidecar.journal import open_journal
from sidecar.journal.follower import Follower
from sidecar.logs import log_conclusions
from sidecar.ports import ErrorCode, Journal, SidecarError
from sidecar.probes.acks import AckResult, Acks
from sidecar.probes.stripe_webhook import StripeWebhook, WebhookResult


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's word that a policy which was superseded shall hold again."""

    actor: str
    reason: str


class Urls(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running sidecar listens."""

    public: str
    operator: str
    metrics: str


async def run(
    config: Config,
    secrets: Secrets,
    *,
    adoption: Adoption | None = None,
    started: Callable[[Urls], None] = lambda _: None,
    dropped_lines: Callable[[], int] = lambda: 0,
) -> None:
    """Run a sidecar until it is cancelled. Raises `SidecarError` if it cannot start."""
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(_journal(config))
        sidecar = Sidecar(config, secrets, journal, dropped_lines)
        listeners = sidecar.listeners()
        stack.push_async_callback(_stop, listeners)
        urls = _bind(listeners)  # before anything is written: a start that fails must leave no trace
        await sidecar.begin(adoption)
        stack.callback(sidecar.lease.revoke)  # so that nobody is told push by a process that no longer follows
        async with asyncio.TaskGroup() as group:
            group.create_task(sidecar.follower.run(), name="follower")
            group.create_task(sidecar.controller.run(), name="controller")
            for listener in listeners.values():
                await listener.start()
            structlog.get_logger().info("sidecar.started", version=__version__, **msgspec.structs.asdict(urls))
            started(urls)


@asynccontextmanager
async def _journal(config: Config) -> AsyncIterator[Journal]:
    journal = await open_journal(config.journal)
    try:
        yield journal
    finally:
        await journal.close()


async def _stop(listeners: dict[str, Listener]) -> None:
    await asyncio.gather(*(listener.stop() for listener in listeners.values()))


def _bind(listeners: dict[str, Listener]) -> Urls:
    urls = {name: listener.bind() for name, listener in listeners.items()}
    return Urls(
        public=urls["public"], operator=urls["operator"], metrics=f"{urls.get('metrics', urls['operator'])}/metrics"
    )


class Sidecar:
    """The objects of one sidecar, wired together around one journal and one state."""

    def __init__(self, config: Config, secrets: Secrets, journal: Journal, dropped_lines: Callable[[], int]) -> None:
        self._config = config
        self._secrets = secrets
        self._journal = journal
        self._dropped_lines = dropped_lines
        self._policy = policy_of(config)
        self._policy_hash = policy_hash(self._policy)
        self._state = State()
        self._listeners: dict[str, Listener] = {}
        self._webhooks: Counter[str] = Counter()
        self._ack_requests: Counter[str] = Counter()
        replica = f"{socket.gethostname()}-{random_secrets.token_hex(4)}"  # new with each start
        self._replica = replica
        lease_ms = self._policy.lease_ms
        lease = self.lease = Lease(replica)
        self._answers = Answers(
            self._state,
            lease,
            flag=config.flag,
            environment=config.environment,
            lease_ms=lease_ms,
            policy_hash=self._policy_hash,
        )
        self.controller = Controller(
            journal, self._state, lease, replica=replica, policy_hash=self._policy_hash, lease_ms=lease_ms
        )
        self.follower = Follower(
            journal,
            self._state,
            listeners=(
                lambda record, _: lease.folded(record),
                log_conclusions,
                lambda _record, _conclusions: self.controller.wake(),
            ),
        )

    async def begin(self, adoption: Adoption | None) -> None:
        """Catch up with the journal, tell it that we are here, and adopt the policy if that is ours to do.

        A policy that was in force before and was superseded returns only by an operator's word: a replica that was
        left behind with an old file must not take the others back.
        """
        await self.follower.catch_up()
        await self._journal.append(Started(replica=self._replica, version=__version__))
        await self.follower.follow()
        state = self._state
        if state.policy_hash == self._policy_hash:
            return
        if self._policy_hash in state.policies and adoption is None:
            structlog.get_logger().error(
                "policy.superseded",
                policy_hash=self._policy_hash[:12],
                in_force=state.policy_hash[:12],
                hint="this file's policy was replaced by a newer one; this replica answers timer_polling and decides "
                "nothing. Update the file, or bring it back with: sidecar run --adopt-policy --reason '...'",
            )
            return
        word = adoption or Adoption(actor="configuration", reason="a policy that this journal had not seen")
        await self._journal.append(
            PolicyAdopted(
                policy=self._policy,
                policy_hash=self._policy_hash,
                adoption=len(state.policies),
                actor=word.actor,
                reason=word.reason,
            )
        )
        await self.follower.follow()

    def listeners(self) -> dict[str, Listener]:
        """Return the listeners, by the names of their addresses in the configuration."""
        config, secrets = self._config, self._secrets
        health = Health(self._state, self._policy_hash, lambda: self._answers.lease_remaining_s(clock.monotonic_s()))
        webhook = StripeWebhook(
            self._journal,
            config.stripe,
            secrets.stripe_webhook,
            secrets.identity_key,
            _counter(self._webhooks),
        )
        acks = Acks(self._journal, secrets.ack_token, secrets.identity_key, _counter(self._ack_requests))
        operator = Operator(self._journal, self._state, self._status, secrets.operator_tokens)
        scrape = web.get("/metrics", make_aiohttp_handler(metrics.registry(self._metrics_view())))
        listeners = self._listeners = {
            "public": Listener(
                "public",
                config.listen.public,
                [*webhook.routes(), *acks.routes(), *flag_routes(self._answers), *health.routes()],
                connections_max=public_max(),
            ),
            "operator": Listener("operator", config.listen.operator, [*operator.routes(), *health.routes(), scrape]),
        }
        if config.listen.metrics:
            listeners["metrics"] = Listener("metrics", config.listen.metrics, [scrape])
        return listeners

    def _served(self) -> Served:
        return self._answers.served_to_all(clock.monotonic_s())

    def _status(self) -> Status:
        if self._state.policy is None:
            raise SidecarError(ErrorCode.NOT_READY, "no policy is in force yet; try again in a second")
        return status_of(
            self._state,
            serve=self._served,
            lease_remaining_s=self._answers.lease_remaining_s(clock.monotonic_s()),
            now_ms=self._journal.now_ms(),
        )

    def _metrics_view(self) -> metrics.View:
        return metrics.View(
            state=self._state,
            served_mode=lambda: self._served().mode,
            lease_remaining_s=lambda: self._answers.lease_remaining_s(clock.monotonic_s()),
            dropped_lines=self._dropped_lines,
            refused_connections=lambda: {name: each.refused_count for name, each in self._listeners.items()},
            webhooks=self._webhooks,
            ack_requests=self._ack_requests,
            webhook_results=tuple(WebhookResult),
            ack_results=tuple(AckResult),
        )


def _counter(counts: Counter[str]) -> Callable[[str], None]:
    def count(result: str) -> None:
        counts[result] += 1

    return count
