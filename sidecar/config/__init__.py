"""What is this sidecar told to do? Its YAML file and its secrets as frozen structs, or all that is wrong with them."""

from sidecar.config.places import Address, JournalPlace, MemoryPlace, SqlitePlace
from sidecar.config.problems import ConfigInvalid, Problem
from sidecar.config.reading import read_config
from sidecar.config.schema import (
    Acks,
    Config,
    LadderRung,
    Listen,
    Objective,
    PolicyKeys,
    ReachWaived,
    RedisStream,
    Stripe,
    policy_of,
)
from sidecar.config.secrets import OperatorToken, Role, Secrets, SecretsInvalid, read_secrets

__all__ = [
    "Acks",
    "Address",
    "Config",
    "ConfigInvalid",
    "JournalPlace",
    "LadderRung",
    "Listen",
    "MemoryPlace",
    "Objective",
    "OperatorToken",
    "PolicyKeys",
    "Problem",
    "ReachWaived",
    "RedisStream",
    "Role",
    "Secrets",
    "SecretsInvalid",
    "SqlitePlace",
    "Stripe",
    "policy_of",
    "read_config",
    "read_secrets",
]
