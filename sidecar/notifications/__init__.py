"""Who is told? What people should hear of, once for each target, and never at the cost of what they are told about.

The problem: a target that is dead, slow or hostile must not hold up a decision, and two replicas or a restart must not
tell the same twice.

What we do: `watch` says what of a record is worth a notification, in `words`. `notifier` keeps a short line for each
target, and a task of its own that takes from it; a target's name and the event are claimed in the journal before the
first attempt, so that whoever comes second keeps silent. `targets` makes the request, `sending` makes one attempt of
it.
"""

from sidecar.notifications.delivery import Attempt
from sidecar.notifications.notification import Notification, NotificationKind, Tone
from sidecar.notifications.notifier import NotificationResult, Notifier, Pace, notifier_of
from sidecar.notifications.selection import Watch
from sidecar.notifications.targets import Target, targets_of
from sidecar.notifications.trial import Tried, try_targets

__all__ = [
    "Attempt",
    "Notification",
    "NotificationKind",
    "NotificationResult",
    "Notifier",
    "Pace",
    "Target",
    "Tone",
    "Tried",
    "Watch",
    "notifier_of",
    "targets_of",
    "try_targets",
]
