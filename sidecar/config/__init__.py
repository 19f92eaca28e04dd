"""What is this sidecar configured to do? Its YAML file and its secrets as frozen structs, or all their problems."""

from sidecar.config.browsers import blocked_by_browsers
from sidecar.config.journals import JournalPlace, MemoryPlace, SqlitePlace
from sidecar.config.parsing import UNKNOWN_APP, read_config, reverb_from_options
from sidecar.config.places import Address
from sidecar.config.policies import policy_of
from sidecar.config.problems import ConfigInvalid, Problem
from sidecar.config.reverb import (
    DEFAULT_CHANNEL,
    OBSERVERS_MAX,
    Authorizer,
    Credentials,
    Echo,
    Isolation,
    Probe,
    Reverb,
)
from sidecar.config.schema import (
    Acks,
    Config,
    Console,
    LadderRung,
    Listen,
    Notifications,
    NotificationTarget,
    Objective,
    PolicyKeys,
    ReachWaived,
    Reading,
    RedisStream,
    Stripe,
    TargetKind,
)
from sidecar.config.secrets import (
    NotificationSecrets,
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
    "blocked_by_browsers",
    "policy_of",
    "read_config",
    "read_notification_secrets",
    "read_probe_secrets",
    "read_secrets",
    "reverb_from_options",
]
