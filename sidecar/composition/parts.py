"""The one table of parts: how each is built from the configuration. A part's routes, tasks and metrics are its own."""

from collections.abc import Callable, Iterable

import msgspec

from sidecar.composition.wiring import Wiring
from sidecar.console.last_payments import LastPayments
from sidecar.console.operator import Operator
from sidecar.console.page.live_updates import LiveUpdates
from sidecar.console.page.routes import Console
from sidecar.console.release import Release
from sidecar.flags.answers import Answers
from sidecar.flags.controller import Controller
from sidecar.flags.evaluations import Evaluations
from sidecar.flags.ofrep import OfrepApi
from sidecar.flags.routes import FlagApi
from sidecar.flags.streams import Streams
from sidecar.http.health import Health
from sidecar.http.lag import Lag
from sidecar.http.server import Listener
from sidecar.journal.follower import Follower
from sidecar.journal.maintenance import Maintenance
from sidecar.logs import LineCounts
from sidecar.metrics.scrape import Scrape
from sidecar.notifications import Notifier, notifier_of
from sidecar.parts.part import Part
from sidecar.probes.ack_faults import AckFaults, note_of
from sidecar.probes.ack_stream import AckStream
from sidecar.probes.acks import Acks
from sidecar.probes.observers import Observers
from sidecar.probes.outside_clocks import OutsideClocks
from sidecar.probes.payment_trials import PaymentTrials
from sidecar.probes.reports import Reports
from sidecar.probes.runner import Runner
from sidecar.probes.stripe_webhook import StripeWebhook
from sidecar.probes.watches import Watches
from sidecar.probes.webhook_signatures import WebhookSignatures


class PartRow(msgspec.Struct, frozen=True):
    """One kind of part."""

    kind: type[Part]
    build: Callable[[Wiring], Part | None]
    """Returns the part; None: the configuration has none."""


def _stripe_webhook(it: Wiring) -> StripeWebhook:
    secrets = it.secrets
    return StripeWebhook(
        it.journal,
        it.config.stripe,
        secrets.stripe_webhook,
        secrets.identity_key,
        signed=it.clocks.signed,
        late_ms=it.lag.late_ms,
        signatures=it.signatures,
        proxies=it.config.listen.proxies,
    )


def _acks(it: Wiring) -> Acks:
    return Acks(
        it.journal,
        it.secrets.ack_token,
        it.secrets.identity_key,
        it.reports,
        channel=it.channel,
        note=note_of(it.policy, it.state),
    )


def _ack_stream(it: Wiring) -> AckStream | None:
    place, secrets = it.config.acks.redis_stream, it.secrets
    if place is None:
        return None
    return AckStream(
        it.journal,
        place,
        password=secrets.redis_password,
        identity_key=secrets.identity_key,
        channel=it.channel,
    )


def _operator(it: Wiring) -> Operator:
    return Operator(
        it.journal,
        it.state,
        it.timelines,
        status=it.status,
        explanation=it.explanation,
        access=it.access,
        user_ref=it.user_ref,
    )


def _console(it: Wiring) -> Console:
    return Console(
        it.journal,
        it.state,
        it.timelines,
        status=it.status,
        readiness=it.release.readiness,
        live_updates=it.live_updates,
    )


def _notifier(it: Wiring) -> Notifier:
    return notifier_of(it.config.notifications, it.secrets.notifications, it.journal, it.state, replica=it.replica)


PARTS = (
    PartRow(StripeWebhook, _stripe_webhook),
    PartRow(WebhookSignatures, lambda it: it.signatures),
    PartRow(Acks, _acks),
    PartRow(AckFaults, lambda it: it.ack_faults),
    PartRow(LastPayments, lambda it: it.last_payments),
    PartRow(PaymentTrials, lambda it: it.trials),
    PartRow(Reports, lambda it: it.reports),
    PartRow(Maintenance, lambda it: it.maintenance),
    PartRow(Lag, lambda it: it.lag),
    PartRow(Answers, lambda it: it.answers),
    PartRow(Streams, lambda it: it.streams),
    PartRow(FlagApi, lambda it: FlagApi(it.answers, it.streams)),
    PartRow(OfrepApi, lambda it: OfrepApi(Evaluations(it.answers, it.streams.has_permits), it.streams)),
    PartRow(
        Health, lambda it: Health(it.state, it.policy_hash, it.lease_remaining_s, it.clock_ahead_ms, it.journal_error)
    ),
    PartRow(Console, _console),
    PartRow(Operator, _operator),
    PartRow(Release, lambda it: it.release),
    PartRow(LiveUpdates, lambda it: it.live_updates),
    PartRow(Notifier, _notifier),
    PartRow(OutsideClocks, lambda it: it.clocks),
    PartRow(AckStream, _ack_stream),
    PartRow(Observers, lambda it: it.probing.observers if it.probing else None),
    PartRow(Runner, lambda it: it.probing.runner if it.probing else None),
    PartRow(Watches, lambda it: it.probing.watches if it.probing else None),
)
"""All parts that a configuration can have, beside the follower and the controller, which need all others."""


def kinds_of(parts: Iterable[PartRow] = PARTS) -> tuple[type, ...]:
    """Return all classes that declare routes or metrics, for the catalogue of metrics."""
    return (Follower, Controller, *(row.kind for row in parts), Scrape, Listener, LineCounts)
