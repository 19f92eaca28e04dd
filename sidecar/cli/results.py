"""What commands without a result of their own print with `--json`."""

import msgspec

from sidecar.config import TargetKind
from sidecar.notifications import Tried


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A backup, or the beginning of a new journal, took the journal's place."""

    path: str
    aside: str | None
    """Where the previous journal is now; None: there was none."""


class WrittenFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Files that were written."""

    files: tuple[str, ...]


class ListedTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A notification target, and the names of its secrets."""

    name: str
    kind: TargetKind
    url_variable: str
    key_variable: str | None
    """None: it needs no key."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """The notification targets."""

    targets: tuple[ListedTarget, ...]


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """The test notifications that were sent."""

    tested: tuple[Tried, ...]
