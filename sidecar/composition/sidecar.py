"""One sidecar: its parts, its listeners, and what it does before it follows the journal."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import msgspec
import structlog
from aiohttp import web

from sidecar import __version__
from sidecar.composition.parts import PARTS, PartRow, kinds_of
from sidecar.composition.wiring import Wiring
from sidecar.config import Config, Secrets
from sidecar.core.facts.meaning import why_not_here
from sidecar.core.facts.observations import PolicyAdopted, Started
from sidecar.core.facts.operator_actions import Noted
from sidecar.core.facts.policy import Policy
from sidecar.core.fold import lifecycle
from sidecar.flags.controller import Controller
from sidecar.http.connections import address_max, public_max
from sidecar.http.guard import Guard
from sidecar.http.server import Listener
from sidecar.journal.binding import bound_policy
from sidecar.journal.follower import Follower
from sidecar.logs import LineCounts, log_conclusions
from sidecar.metrics import Exemplars, Exposition
from sidecar.metrics.scrape import Scrape
from sidecar.parts.part import Part, Source, TaskFunction
from sidecar.parts.routes import METRICS, OPERATOR, PUBLIC
from sidecar.ports import ErrorCode, Journal, SidecarError
from sidecar.wording import clock_warning


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's decision that a superseded policy is in force again."""

    actor: str
    reason: str


class Sidecar:
    """The parts of one sidecar, wired together around one journal and one state."""

    def __init__(
        self,
        config: Config,
        secrets: Secrets,
        journal: Journal,
        *,
        lines: LineCounts,
        journal_error: str = "",
        parts: Sequence[PartRow] = PARTS,
    ) -> None:
        it = self.wiring = Wiring(config, secrets, journal, lines=lines, journal_error=journal_error)
        self._started_seq = 0
        self._listeners: dict[str, Listener] = {}
        built = [part for row in parts if (part := row.build(it)) is not None]
        self.controller = Controller(
            journal,
            it.state,
            it.lease,
            replica=it.replica,
            policy_hash=it.policy_hash,
            lease_ms=it.policy.lease_ms,
            sources=[part for part in built if isinstance(part, Source)],
        )
        exemplars = Exemplars(it.state, it.payment_ref)
        listening = [self.controller, *built]
        self.follower = Follower(
            journal,
            it.state,
            listeners=(
                lambda record, _: it.lease.folded(record),
                lambda record, conclusions: log_conclusions(record, conclusions, it.payment_ref),
                exemplars.folded,
                *(part.folded for part in listening if type(part).folded is not Part.folded),
            ),
        )
        self.exposition = Exposition(
            it.state,
            kinds_of(parts),
            self.counting,
            has_caught_up=lambda: self.follower.has_caught_up,
            exemplars=exemplars.last,
        )
        self._parts: tuple[Part, ...] = (
            self.follower,
            *listening,
            Scrape(self.exposition.collect, it.access.admit_scrape),
        )

    def counting(self) -> Iterable[object]:
        """Return all objects that have metrics."""
        return (*self._parts, *self._listeners.values(), self.wiring.lines)

    def task_functions(self) -> Iterator[tuple[str, TaskFunction]]:
        """Yield what runs for as long as the sidecar does, by name."""
        for part in self._parts:
            yield from part.tasks()

    def listeners(self) -> dict[str, Listener]:
        """Return the listeners, by the names of their addresses in the configuration."""
        it = self.wiring
        listen, lag_s = it.config.listen, it.lag.seconds
        guard = Guard(listen.operator.host, it.config.console.hosts, it.access.admit)
        stops = {name: self._stop(name) for name in (PUBLIC, OPERATOR)}
        self._listeners = {
            PUBLIC: Listener(
                PUBLIC,
                listen.public,
                self._routes(PUBLIC),
                connections_max=public_max(),
                address_max=address_max(listen.proxies),
                proxies=listen.proxies,
                lag_s=lag_s,
                before_stop=stops[PUBLIC],
            ),
            OPERATOR: Listener(
                OPERATOR, listen.operator, self._routes(OPERATOR), before_stop=stops[OPERATOR], guard=guard
            ),
        }
        if listen.metrics:
            self._listeners[METRICS] = Listener(METRICS, listen.metrics, self._routes(METRICS))
        return self._listeners

    def _routes(self, listener: str) -> list[web.RouteDef]:
        return [route for part in self._parts for route in part.routes(listener)]

    def _stop(self, listener: str) -> Callable[[], Awaitable[None]]:
        """Return what ends the long responses of a listener."""
        parts = [part for part in self._parts if part.routes(listener)]

        async def stop() -> None:
            for part in parts:
                await part.stop()

        return stop

    async def is_fresh(self) -> bool:
        """Return whether the journal is empty: records before its first policy would have no meaning.

        Raises `SidecarError` with `config_invalid` if it is, and the configured policy cannot be a journal's first; or
        if it belongs to another environment or livemode. Nothing was appended yet.
        """
        is_fresh = not await self.wiring.journal.read(0, 1)
        if is_fresh:
            self._refuse_first_policy()
        else:
            self._refuse_journal(await bound_policy(self.wiring.journal))
        return is_fresh

    def _refuse_journal(self, bound: Policy | None) -> None:
        """Refuse to start on the journal of another environment or livemode."""
        why_not = why_not_here(bound, self.wiring.policy)
        if why_not is not None:
            raise SidecarError(ErrorCode.CONFIG_INVALID, why_not)

    def _refuse_first_policy(self) -> None:
        """Refuse to start without any policy: nothing would be judged or served."""
        why_not = lifecycle.why_not(self.wiring.state, self.wiring.policy)
        if why_not is not None and self.wiring.state.policy is None:
            raise SidecarError(ErrorCode.CONFIG_INVALID, why_not)

    async def announce(self) -> None:
        """Append the start of this replica: from then on it sees payments and acks."""
        ahead_ms = self.wiring.clock_ahead_ms()
        warning = clock_warning(ahead_ms)
        if warning:
            structlog.get_logger().warning("clock.differs", ahead_ms=ahead_ms, message=warning)
        started = Started(replica=self.wiring.replica, version=__version__, clock_ahead_ms=ahead_ms if warning else 0)
        appended = await self.wiring.journal.append(started)
        self._started_seq = appended.record.seq

    async def begin(self, adoption: Adoption | None) -> None:
        """Catch up with the journal, and adopt the configured policy if it is new.

        A superseded policy returns only by an operator's decision: a replica with an old file must not replace the
        policy of the others. A policy that the present state does not permit (`core.fold.lifecycle`) is not adopted
        either. Raises `SidecarError` with `config_invalid` if there is then no policy at all, or if the journal belongs
        to another environment or livemode.
        """
        await self.follower.catch_up(history_ends=self._started_seq)
        state = self.wiring.state
        self._refuse_journal(state.policy)
        if state.policy_hash == self.wiring.policy_hash:
            return
        if self.wiring.policy_hash in state.policies and adoption is None:
            structlog.get_logger().error(
                "policy.superseded",
                policy_hash=self.wiring.policy_hash[:12],
                in_force=state.policy_hash[:12],
                hint="this file's policy was replaced by a newer one; this replica answers timer_polling and decides "
                "nothing. Update the file, or bring it back with: sidecar run --adopt-policy --reason '...'",
            )
            return
        why_not = lifecycle.why_not(state, self.wiring.policy)
        if why_not is not None:
            self._refuse_first_policy()
            self._refuse_policy(why_not)
            return
        is_first = state.policy is None
        by = adoption or Adoption(actor="configuration", reason="a policy that this journal had not seen")
        await self.wiring.journal.append(
            PolicyAdopted(
                policy=self.wiring.policy,
                policy_hash=self.wiring.policy_hash,
                adoption=state.adoptions,
                actor=by.actor,
                reason=by.reason,
            )
        )
        await self.follower.follow()
        self._refuse_journal(state.policy)  # another replica was faster on an empty journal
        why_not = lifecycle.why_not(state, self.wiring.policy)
        if why_not is not None:  # the flag fell in between
            self._refuse_policy(why_not)
        if is_first:
            await self._announce_new_journal()

    async def _announce_new_journal(self) -> None:
        """Warn that the journal is new, and note why if an operator began it."""
        reason = self.wiring.journal.creation().reason
        structlog.get_logger().warning(
            "journal.created",
            environment=self.wiring.config.environment,
            journal=self.wiring.config.journal.write(),
            reason=reason,
            hint="it has no evidence, alarm or hold from before. If there was a journal, stop the sidecar and restore "
            "it: sidecar restore FILE --replace --reason '...'",
        )
        if reason:
            await self.wiring.journal.append(Noted(actor="journal init", text=f"A new journal: {reason}"))

    def _refuse_policy(self, why_not: str) -> None:
        self.wiring.policy_refused = why_not
        structlog.get_logger().error(
            "policy.refused",
            policy_hash=self.wiring.policy_hash[:12],
            in_force=self.wiring.state.policy_hash[:12],
            why=why_not,
            hint="this replica answers timer_polling and decides nothing; put `lifecycle: migrating` back and restart",
        )
