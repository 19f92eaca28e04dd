"""Who is notified of what? Events for receivers, sent once to each target, without an effect on decisions.

The problem: a target that is dead, slow or hostile must not delay a decision, and two replicas or a restart must not
send an event twice.

The solution: `selection` selects the events of a record, with `texts`. `notifier` has a bounded queue and a task for
each target, and claims the event and the target in the journal before the first attempt; a replica that finds the claim
sends nothing. `targets` builds the request, and `delivery` makes one attempt.
"""

from sidecar.notifications.delivery import Attempt
from sidecar.notifications.notification import Notification, NotificationKind, Tone
from sidecar.notifications.notifier import NotificationResult, Notifier, Pace, notifier_of
from sidecar.notifications.selection import Selector
from sidecar.notifications.targets import Target, targets_of
from sidecar.notifications.trial import Tried, try_targets

__all__ = [
    "Attempt",
    "Notification",
    "NotificationKind",
    "NotificationResult",
    "Notifier",
    "Pace",
    "Selector",
    "Target",
    "Tone",
    "Tried",
    "notifier_of",
    "targets_of",
    "try_targets",
]
