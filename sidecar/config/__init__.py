"""What is this sidecar told to do? Its YAML file and its secrets as frozen structs, or all that is wrong with them."""

from sidecar.config.notification_secrets import NotificationSecrets
from sidecar.config.notifications import Notifications, NotificationTarget, TargetKind
from sidecar.config.parsing import UNKNOWN_APP, read_config, reverb_of_words
from sidecar.config.places import Address, JournalPlace, MemoryPlace, SqlitePlace
from sidecar.config.policies import policy_of
from sidecar.config.problems import ConfigInvalid, Problem
from sidecar.config.schema import (
    DEFAULT_CHANNEL,
    OBSERVERS_MAX,
    Acks,
    Authorizer,
    Config,
    Console,
    Credentials,
    Echo,
    Isolation,
    LadderRung,
    Listen,
    Objective,
    PolicyKeys,
    Probe,
    ReachWaived,
    Reading,
    RedisStream,
    Reverb,
    Stripe,
)
from sidecar.config.secrets import (
    OperatorToken,
    ProbeSecrets,
    Role,
    Secrets,
    read_notification_secrets,
    read_probe_secrets,
    read_secrets,
)
from sidecar.config.variables import SecretsInvalid

__all__ = [
    "DEFAULT_CHANNEL",
    "OBSERVERS_MAX",
    "UNKNOWN_APP",
    "Acks",
    "Address",
    "Authorizer",
    "Config",
    "ConfigInvalid",
    "Console",
    "Credentials",
    "Echo",
    "Isolation",
    "JournalPlace",
    "LadderRung",
    "Listen",
    "MemoryPlace",
    "NotificationSecrets",
    "NotificationTarget",
    "Notifications",
    "Objective",
    "OperatorToken",
    "PolicyKeys",
    "Probe",
    "ProbeSecrets",
    "Problem",
    "ReachWaived",
    "Reading",
    "RedisStream",
    "Reverb",
    "Role",
    "Secrets",
    "SecretsInvalid",
    "SqlitePlace",
    "Stripe",
    "TargetKind",
    "policy_of",
    "read_config",
    "read_notification_secrets",
    "read_probe_secrets",
    "read_secrets",
    "reverb_of_words",
]
