"""The objects of one sidecar: configuration → objects, wired together around one journal. Nothing else knows how."""

import functools
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import msgspec
import structlog
from aiohttp import web

from sidecar import __version__, clock, metrics, randomness
from sidecar.composition.sets import CONSOLE, SETS
from sidecar.config import DEFAULT_CHANNEL, Config, Secrets, policy_of
from sidecar.console.access import Access
from sidecar.console.explanation import Explanation, explain_now
from sidecar.console.operator import Operator
from sidecar.console.page.live_updates import LiveUpdates
from sidecar.console.page.routes import Console
from sidecar.console.payment_timelines import Journeys
from sidecar.console.release import Release
from sidecar.console.status import Status, status_of
from sidecar.core.facts.observations import PolicyAdopted, Started
from sidecar.core.facts.policy import policy_hash
from sidecar.core.fold import lifecycle
from sidecar.core.fold.serving import Served
from sidecar.core.fold.state import State
from sidecar.flags.answers import Answers
from sidecar.flags.controller import Controller
from sidecar.flags.evaluations import Evaluations
from sidecar.flags.lease import Lease
from sidecar.flags.ofrep import ofrep_routes
from sidecar.flags.routes import flag_routes
from sidecar.flags.streams import Streams
from sidecar.http.connections import public_max, streams_max
from sidecar.http.event_streams import DROPPED, REFUSED
from sidecar.http.guard import Guard
from sidecar.http.health import Health
from sidecar.http.lag import Lag
from sidecar.http.server import Listener
from sidecar.journal.follower import Follower
from sidecar.journal.maintenance import Maintenance
from sidecar.logs import LineCounts, log_conclusions
from sidecar.notifications import notifier_of
from sidecar.ports import ErrorCode, Journal, SidecarError, Source
from sidecar.probes.ack_stream import AckStream
from sidecar.probes.acks import Acks
from sidecar.probes.outside_clocks import OutsideClocks
from sidecar.probes.probing import Probing
from sidecar.probes.reports import Reports
from sidecar.probes.stripe_webhook import StripeWebhook
from sidecar.tokens import BrowserTokens, payment_ref


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's word that a policy which was superseded shall hold again."""

    actor: str
    reason: str


class Sidecar:
    """The objects of one sidecar, wired together around one journal and one state."""

    def __init__(
        self,
        config: Config,
        secrets: Secrets,
        journal: Journal,
        *,
        lines: LineCounts,
        journal_error: str = "",
    ) -> None:
        self._config = config
        self._secrets = secrets
        self._journal = journal
        self._lines = lines
        self._journal_error = journal_error
        self._policy = policy_of(config)
        self._policy_hash = policy_hash(self._policy)
        self._policy_refused = ""
        self._state = State()
        self._listeners: dict[str, Listener] = {}
        self._task_failures: Counter[str] = Counter()
        failed = _counter(self._task_failures)
        self._webhooks: Counter[str] = Counter()
        self._ack_requests: Counter[str] = Counter()
        self._browser_reports: Counter[str] = Counter()
        self._browser_tokens = BrowserTokens(secrets.browser) if secrets.browser else None
        replica = f"{socket.gethostname()}-{randomness.token_hex(4)}"  # new with each start
        self._replica = replica
        self._started_seq = 0
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
        self._streams = Streams(self._answers, streams_max=streams_max())
        self._live_updates = LiveUpdates(self._state, self._served)
        self.lag = Lag()
        self.maintenance = Maintenance(journal, self._state, replica=replica, failed=failed)
        self._ack_entries: Counter[str] = Counter()
        self._ack_stream = (
            AckStream(
                journal,
                config.acks.redis_stream,
                _counter(self._ack_entries),
                password=secrets.redis_password,
                identity_key=secrets.identity_key,
                channel=config.reverb.channel if config.reverb is not None else DEFAULT_CHANNEL,
            )
            if config.acks.redis_stream is not None
            else None
        )
        self._observed: Counter[str] = Counter()
        self._clocks = OutsideClocks()
        self._probing = (
            Probing(
                journal,
                config.reverb,
                secrets.probe,
                _counter(self._observed),
                replica=replica,
                identity_key=secrets.identity_key,
                browser_tokens=self._browser_tokens,
                clocks=self._clocks,
                failed=failed,
            )
            if config.reverb is not None and secrets.probe is not None
            else None
        )
        self.controller = Controller(
            journal,
            self._state,
            lease,
            replica=replica,
            policy_hash=self._policy_hash,
            lease_ms=lease_ms,
            sources=tuple(self._sources()),
            failed=failed,
        )
        ref = functools.partial(payment_ref, secrets.identity_key or randomness.token_hex(16))
        self._exemplars = metrics.Exemplars(self._state, ref)
        self._notifier = notifier_of(
            config.notifications, secrets.notifications, journal, self._state, replica=replica, failed=failed
        )
        self.follower = Follower(
            journal,
            self._state,
            listeners=(
                lambda record, _: lease.folded(record),
                lambda record, conclusions: log_conclusions(record, conclusions, ref),
                self._exemplars.folded,
                lambda _record, _conclusions: self.controller.wake(),
                lambda _record, _conclusions: self._streams.wake(),
                lambda _record, _conclusions: self._live_updates.wake(),
                self._notifier.heard,
            ),
            failed=failed,
        )

    def actors(self) -> Iterator[tuple[str, Callable[[], Coroutine[Any, Any, object]]]]:
        """Return what runs for as long as the sidecar does, by name."""
        yield "follower", self.follower.run
        yield "controller", self.controller.run
        yield "maintenance", self.maintenance.run
        yield "lag", self.lag.run
        yield "streams", self._streams.run
        yield "check", self._journal.check
        yield "notifications", self._notifier.run
        if self._ack_stream is not None:
            yield "ack_stream", self._ack_stream.run
        if self._probing is not None:
            yield "observers", self._probing.observers.run
            yield "probes", self._probing.runner.run
            if self._probing.watches is not None:
                yield "watches", self._probing.watches.run

    def _sources(self) -> Iterator[Source]:
        """Return what must have been read before a payment may be judged."""
        if self._ack_stream is not None:
            yield self._ack_stream
        if self._probing is not None:
            yield self._probing.observers

    async def is_fresh(self) -> bool:
        """Say whether the journal is empty: what comes before its first policy would mean nothing.

        Raises `SidecarError` with `config_invalid` if it is, and this file's policy cannot be the first of a journal.
        """
        is_fresh = not await self._journal.read(0, 1)
        if is_fresh:
            self._refuse_first_policy()
        return is_fresh

    def _refuse_first_policy(self) -> None:
        """Without any policy nothing is judged and nothing served: better not to start, and to say why."""
        why_not = lifecycle.why_not(self._state, self._policy)
        if why_not is not None and self._state.policy is None:
            raise SidecarError(ErrorCode.CONFIG_INVALID, why_not)

    async def announce(self) -> None:
        """Tell the journal that we are here, from when on what comes is seen."""
        appended = await self._journal.append(Started(replica=self._replica, version=__version__))
        self._started_seq = appended.record.seq

    async def begin(self, adoption: Adoption | None) -> None:
        """Catch up with the journal, and adopt the policy if that is ours to do.

        A policy that was in force before and was superseded returns only by an operator's word: a replica that was
        left behind with an old file must not take the others back. Nor is one adopted that cannot be accepted as things
        stand (`core.fold.lifecycle`). Raises `SidecarError` with `config_invalid` if there is then none at all.
        """
        await self.follower.catch_up(history_ends=self._started_seq)
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
        why_not = lifecycle.why_not(state, self._policy)
        if why_not is not None:
            self._refuse_first_policy()
            self._refuse_policy(why_not)
            return
        word = adoption or Adoption(actor="configuration", reason="a policy that this journal had not seen")
        await self._journal.append(
            PolicyAdopted(
                policy=self._policy,
                policy_hash=self._policy_hash,
                adoption=state.adoptions,
                actor=word.actor,
                reason=word.reason,
            )
        )
        await self.follower.follow()
        why_not = lifecycle.why_not(state, self._policy)
        if why_not is not None:  # the flag fell in between
            self._refuse_policy(why_not)

    def _refuse_policy(self, why_not: str) -> None:
        self._policy_refused = why_not
        structlog.get_logger().error(
            "policy.refused",
            policy_hash=self._policy_hash[:12],
            in_force=self._state.policy_hash[:12],
            why=why_not,
            hint="this replica answers timer_polling and decides nothing; put `lifecycle: migrating` back and restart",
        )

    def listeners(self) -> dict[str, Listener]:
        """Return the listeners, by the names of their addresses in the configuration."""
        config, secrets = self._config, self._secrets
        health = Health(
            self._state,
            self._policy_hash,
            lambda: self._answers.lease_remaining_s(clock.monotonic_s()),
            self._journal_error,
        )
        webhook = StripeWebhook(
            self._journal,
            config.stripe,
            secrets.stripe_webhook,
            secrets.identity_key,
            _counter(self._webhooks),
            signed=self._clocks.signed,
        )
        reports = Reports(
            self._journal,
            self._browser_tokens,
            secrets.identity_key,
            _counter(self._browser_reports),
            origins=config.acks.browser_origins,
            proxies=config.listen.proxies,
            lag_s=self.lag.seconds,
        )
        acks = Acks(
            self._journal,
            secrets.ack_token,
            secrets.identity_key,
            _counter(self._ack_requests),
            reports,
            channel=config.reverb.channel if config.reverb is not None else DEFAULT_CHANNEL,
        )
        watches = (
            self._probing.watches.routes() if self._probing is not None and self._probing.watches is not None else []
        )
        access = Access(secrets.operator_tokens, config.console)
        journeys = Journeys(self._journal, self._state)
        operator = Operator(
            self._journal, self._state, journeys, status=self._status, explanation=self._explanation, access=access
        )
        release = Release(self._state, self._served, is_livemode=config.stripe.livemode)
        console = Console(
            self._journal,
            self._state,
            journeys,
            status=self._status,
            readiness=release.readiness,
            live_updates=self._live_updates,
        )
        scrape = web.get("/metrics", metrics.scraped(metrics.Exposition(self._metrics_view()).collect))
        listeners = self._listeners = {
            "public": Listener(
                "public",
                config.listen.public,
                [*webhook.routes(), *acks.routes(), *watches, *self._flag_routes(), *health.routes()],
                connections_max=public_max(),
                lag_s=self.lag.seconds,
                before_stop=self._streams.stop,
            ),
            "operator": Listener(
                "operator",
                config.listen.operator,
                [*console.routes(), *operator.routes(), *release.routes(), *health.routes(), scrape],
                before_stop=self._live_updates.stop,
                guard=Guard(config.listen.operator.host, config.console.hosts, access.admit),
            ),
        }
        if config.listen.metrics:
            listeners["metrics"] = Listener("metrics", config.listen.metrics, [scrape])
        return listeners

    def _flag_routes(self) -> list[web.RouteDef]:
        return [
            *flag_routes(self._answers, self._streams),
            *ofrep_routes(Evaluations(self._answers, self._streams.has_permits), self._streams),
        ]

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
            policy_refused=self._policy_refused,
        )

    def _explanation(self) -> Explanation:
        now_ms = self._journal.now_ms()
        return explain_now(self._state, self._served(), now_ms=now_ms, policy_refused=self._policy_refused)

    def _metrics_view(self) -> metrics.View:
        return metrics.View(
            sets=SETS,
            state=self._state,
            has_caught_up=lambda: self.follower.has_caught_up,
            served=self._served,
            lease_remaining_s=lambda: self._answers.lease_remaining_s(clock.monotonic_s()),
            lines=self._lines,
            backlog=self._journal.backlog,
            journal_now_ms=self._journal.now_ms,
            task_failures=self._task_failures,
            refused_connections=lambda: {name: each.refused_count for name, each in self._listeners.items()},
            webhooks=self._webhooks,
            ack_requests=self._ack_requests,
            browser_reports=self._browser_reports,
            ack_entries=self._ack_entries,
            is_ack_stream_up=lambda: None if self._ack_stream is None else self._ack_stream.is_up,
            refused_requests=self._refused_requests,
            lag_s=self.lag.seconds,
            observers_up=lambda: self._probing.observers.up() if self._probing is not None else {},
            observed=self._observed,
            open_streams=lambda: {**self._streams.open_count(), CONSOLE: self._live_updates.open_count()},
            refused_streams=lambda: {end: self._streams.ended[end] + self._live_updates.ended[end] for end in REFUSED},
            dropped_streams=lambda: {end: self._streams.ended[end] + self._live_updates.ended[end] for end in DROPPED},
            exemplars=self._exemplars.last,
            outside_clocks=lambda: self._clocks.bounds(hears_app=self._probing is not None),
            notifications=self._notifier.results,
            notification_attempts=self._notifier.attempts,
            waiting_notifications=self._notifier.waiting,
        )

    def _refused_requests(self) -> Iterator[tuple[str, str, str, int]]:
        for name, listener in self._listeners.items():
            for path, refused in listener.refused_requests().items():
                yield from ((name, path, reason.value, count) for reason, count in refused.items())


def _counter(counts: Counter[str]) -> Callable[[str], None]:
    def count(result: str) -> None:
        counts[result] += 1

    return count
