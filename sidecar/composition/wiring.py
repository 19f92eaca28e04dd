"""What parts are built from: the configuration, the journal, and the objects that several parts share."""

import functools
import socket

from sidecar import clock, randomness
from sidecar.config import DEFAULT_CHANNEL, Config, Secrets, blocked_by_browsers, policy_of
from sidecar.console.access import Access
from sidecar.console.explanation import Explanation, explain_now
from sidecar.console.last_payments import LastPayments
from sidecar.console.page.live_updates import LiveUpdates
from sidecar.console.payment_timelines import PaymentTimelines
from sidecar.console.release import Release
from sidecar.console.status import Status, status_of
from sidecar.core.facts.policy import policy_hash
from sidecar.core.fold.serving import Served
from sidecar.core.fold.state import State
from sidecar.flags.answers import Answers
from sidecar.flags.lease import Lease
from sidecar.flags.streams import Streams
from sidecar.http.connections import address_streams_max, streams_max
from sidecar.http.lag import Lag
from sidecar.journal.maintenance import Maintenance
from sidecar.journal.novelty import new_journal_warning
from sidecar.logs import LineCounts
from sidecar.ports import ErrorCode, Journal, SidecarError
from sidecar.probes.ack_faults import AckFaults
from sidecar.probes.outside_clocks import OutsideClocks
from sidecar.probes.payment_trials import GuardedJournal, PaymentTrials
from sidecar.probes.probing import Probing
from sidecar.probes.reports import Reports
from sidecar.probes.webhook_signatures import WebhookSignatures
from sidecar.tokens import BrowserTokens, payment_ref, user_ref
from sidecar.wording import clock_warning


class Wiring:
    """The shared objects of one sidecar; those that few parts need are built when the first of them is."""

    def __init__(
        self, config: Config, secrets: Secrets, journal: Journal, *, lines: LineCounts, journal_error: str = ""
    ) -> None:
        self.config = config
        self.secrets = secrets
        self.lines = lines
        self.journal_error = journal_error
        """Why there is no journal; empty: there is one."""
        self.policy = policy_of(config)
        self.policy_hash = policy_hash(self.policy)
        self.policy_refused = ""
        """Why the policy of this configuration was refused; empty: it was not."""
        self.replica = f"{socket.gethostname()}-{randomness.token_hex(4)}"  # new with each start
        self.state = State()
        self.trials = PaymentTrials(lambda: self.state.policy or self.policy)
        self.journal: Journal = GuardedJournal(journal, self.trials)
        """The journal for all parts: it keeps test payments out."""
        self.ack_faults = AckFaults(self.policy, self.state)
        self.last_payments = LastPayments()
        self.lease = Lease(self.replica)
        self.lag = Lag()
        self.access = Access(secrets.operator_tokens, config.console)
        self.payment_ref = functools.partial(payment_ref, secrets.identity_key or randomness.token_hex(16))
        key = secrets.identity_key
        self.user_ref = functools.partial(user_ref, key) if key else None
        """Returns the reference of a user's id; None: there is no `SIDECAR_IDENTITY_KEY`."""
        self.browser_tokens = BrowserTokens(secrets.browser, config.environment) if secrets.browser else None
        self.channel = config.reverb.channel if config.reverb is not None else DEFAULT_CHANNEL

    @functools.cached_property
    def answers(self) -> Answers:
        """The answers of the flag."""
        return Answers(
            self.state,
            self.lease,
            flag=self.config.flag,
            environment=self.config.environment,
            lease_ms=self.policy.lease_ms,
            policy_hash=self.policy_hash,
            now_ms=self.journal.now_ms,
            user_ref=self.user_ref,
        )

    @functools.cached_property
    def streams(self) -> Streams:
        """The streams of the flag."""
        return Streams(
            self.answers,
            streams_max=streams_max(),
            address_max=address_streams_max(),
            proxies=self.config.listen.proxies,
        )

    @functools.cached_property
    def live_updates(self) -> LiveUpdates:
        """The streams of the consoles."""
        return LiveUpdates(self.state, self.served)

    @functools.cached_property
    def maintenance(self) -> Maintenance:
        """The housekeeping of the journal."""
        return Maintenance(self.journal, self.state, replica=self.replica)

    @functools.cached_property
    def reports(self) -> Reports:
        """The receiver of browsers' reports."""
        return Reports(
            self.journal,
            self.browser_tokens,
            self.secrets.identity_key,
            origins=self.config.acks.browser_origins,
            proxies=self.config.listen.proxies,
            lag_s=self.lag.seconds,
        )

    @functools.cached_property
    def clocks(self) -> OutsideClocks:
        """The bounds on the difference to other clocks."""
        return OutsideClocks(has_app=self.config.reverb is not None and self.secrets.probe is not None)

    @functools.cached_property
    def signatures(self) -> WebhookSignatures:
        """The signatures of Stripe's webhooks."""
        return WebhookSignatures(self.state, self.journal.now_ms)

    @functools.cached_property
    def probing(self) -> Probing | None:
        """The probes; None: no Reverb is configured."""
        if self.config.reverb is None or self.secrets.probe is None:
            return None
        return Probing(
            self.journal,
            self.config.reverb,
            self.secrets.probe,
            replica=self.replica,
            identity_key=self.secrets.identity_key,
            browser_tokens=self.browser_tokens,
            clocks=self.clocks,
            event=self.config.acks.event,
        )

    @functools.cached_property
    def timelines(self) -> PaymentTimelines:
        """The timelines of payments."""
        return PaymentTimelines(self.journal, self.state)

    @functools.cached_property
    def release(self) -> Release:
        """The release check and the report."""
        return Release(self.state, self.served, is_livemode=self.config.stripe.livemode)

    def clock_ahead_ms(self) -> int:
        """Return how far the journal's clock is ahead of the wall clock, in milliseconds; negative: behind."""
        return self.journal.now_ms() - clock.wall_ms()

    def lease_remaining_s(self) -> float:
        """Return the remaining time of this replica's lease, in seconds."""
        return self.answers.lease_remaining_s(clock.monotonic_s())

    def served(self) -> Served:
        """Return what this replica answers to a user who belongs to every share."""
        return self.answers.served_to_all(clock.monotonic_s())

    def status(self) -> Status:
        """Return the status. Raises `SidecarError` with `not_ready` before the first policy."""
        if self.state.policy is None:
            raise SidecarError(ErrorCode.NOT_READY, "no policy is in force yet; try again in a second")
        return status_of(
            self.state,
            serve=self.served,
            lease_remaining_s=self.lease_remaining_s(),
            now_ms=self.journal.now_ms(),
            policy_refused=self.policy_refused,
            other_events=self.probing.observers.other_events() if self.probing else (),
            clock_ahead_ms=self.clock_ahead_ms(),
            last_payments=self.last_payments.newest(),
            mismatched_acks=self.ack_faults.counts(),
            process_warnings=(
                self.probing.observers.warning() if self.probing else "",
                *self.ack_faults.warnings(),
                self.reports.warning(),
                *(f"Blocked by browsers: {each}" for each in blocked_by_browsers(self.config)),
                self.signatures.warning(),
                clock_warning(self.clock_ahead_ms()),
                self._new_journal_warning(),
            ),
        )

    def _new_journal_warning(self) -> str:
        """Return what to know about a journal that began today; empty: it proved a climb, or is older."""
        created_ms = self.journal.creation().at_ms
        has_moved, survives = bool(self.state.moves), self.config.journal.survives_restart
        return new_journal_warning(created_ms, self.journal.now_ms()) if survives and not has_moved else ""

    def explanation(self) -> Explanation:
        """Return why the flag is where it is."""
        now_ms = self.journal.now_ms()
        return explain_now(self.state, self.served(), now_ms=now_ms, policy_refused=self.policy_refused)
