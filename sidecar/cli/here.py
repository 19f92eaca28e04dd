"""Could `sidecar run` work on this machine? Secrets, the journal's file and the listeners' addresses; only read."""

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from sidecar.config import Address, Config, SecretsInvalid, SqlitePlace, policy_of, read_secrets
from sidecar.core.facts.meaning import carried, changed_keys, why_not_here
from sidecar.core.facts.policy import Lifecycle, Policy, policy_hash
from sidecar.core.fold import lifecycle
from sidecar.core.fold.state import State
from sidecar.journal.sqlite.lock import holder_of
from sidecar.journal.sqlite.mark import Marks
from sidecar.journal.sqlite.opening import refuse_new
from sidecar.journal.sqlite.verification import present
from sidecar.ports import SidecarError

_PRIVILEGED_BELOW = 1024


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine adds to the verdict on the file."""

    secrets: tuple[str, ...] = ()
    """Problems of the secrets in the environment."""
    machine: tuple[str, ...] = ()
    """Problems of the journal's place and of the listeners' addresses."""
    notes: tuple[str, ...] = ()
    refused: str = ""
    """Why the journal would refuse the policy now; empty: it would not."""
    changed: tuple[str, ...] = ()
    """The keys by which an outcome would mean something else."""
    effect: str = ""
    """What the policy would do to the evidence and the rung; empty: it is in force, or there is no journal."""

    @property
    def is_good(self) -> bool:
        """Whether `sidecar run` could work."""
        return not (self.secrets or self.machine or self.refused)


def here(config: Config, environment: Mapping[str, str]) -> Here:
    """Examine this machine for a configuration."""
    try:
        read_secrets(environment, config)
        secrets: tuple[str, ...] = ()
    except SecretsInvalid as error:
        secrets = error.problems
    machine, notes, is_running = list(_journal_problems(config)), [], False
    if isinstance(config.journal, SqlitePlace) and not machine:
        pid = holder_of(Path(config.journal.path))
        is_running = pid is not None
        notes = [f"A sidecar uses {config.journal.path} now (process {pid}): `sidecar run` needs it stopped."]
    if not is_running:
        notes, machine = [], [*machine, *_address_problems(config)]
    if secrets and Path(".env").is_file():
        notes.append("There is a .env here; load it with: set -a; . ./.env; set +a")
    found = effect_of(config)
    return msgspec.structs.replace(found, secrets=secrets, machine=tuple(machine), notes=tuple(notes))


def _journal_problems(config: Config) -> Iterator[str]:
    if not isinstance(config.journal, SqlitePlace):
        return
    path = Path(config.journal.path)
    folder = path.absolute().parent
    if not folder.is_dir():
        yield f"journal: there is no folder {folder}; create it, or name another under `journal:`"
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield f"journal: the folder {folder} is not writable for this user; change its owner, or name another"
    elif path.is_dir():
        yield f"journal: {path} is a folder; name a file"
    elif path.exists() and not os.access(path, os.R_OK | os.W_OK):
        yield f"journal: {path} is not readable and writable for this user; change its owner, or run as its owner"
    else:
        yield from _lost_journal(config, path.resolve())


def _lost_journal(config: Config, path: Path) -> Iterator[str]:
    """Yield why the start would refuse a missing or empty journal, or its mark."""
    marks = Marks(path, Path(config.journal_mark).resolve() if config.journal_mark else None)
    try:
        marks.read()
        if not (path.is_file() and path.stat().st_size):
            refuse_new(path, marks, must_exist=config.journal_must_exist)
    except SidecarError as error:
        yield f"journal: {error.message}"


def _address_problems(config: Config) -> Iterator[str]:
    listen = config.listen
    for name, address in (("public", listen.public), ("operator", listen.operator), ("metrics", listen.metrics)):
        why_not = _why_not_bound(address) if address is not None else ""
        if why_not:
            yield f"listen.{name}: {address} {why_not}"


def _why_not_bound(address: Address) -> str:
    """Return why the address cannot be bound now; empty: it can."""
    try:
        family, *_, sockaddr = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        socket.create_server(sockaddr[:2], family=family).close()
    except socket.gaierror:
        return "is not an address of this machine: the name does not resolve; use an address such as 127.0.0.1"
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return "is taken by another program; stop it, or use another port"
        if error.errno == errno.EADDRNOTAVAIL:
            return "is not an address of this machine; use one that is, such as 127.0.0.1 or 0.0.0.0"
        if error.errno == errno.EACCES and address.port < _PRIVILEGED_BELOW:
            return f"needs more rights: ports below {_PRIVILEGED_BELOW} are privileged; use a higher one behind a proxy"
        return f"cannot be used ({error.strerror}); use another one"
    return ""


def effect_of(read: Config) -> Here:
    """Compare the configuration with the policy that is in force in its journal, which is only read."""
    if not isinstance(read.journal, SqlitePlace):
        return Here()
    path, is_removed = Path(read.journal.path), read.lifecycle is Lifecycle.REMOVED
    if not path.exists():
        unknown = f"{path} does not exist; `sidecar run` checks it, and refuses an empty journal."
        return Here(effect=f"{_UNKNOWN} {unknown}" if is_removed else "")
    try:
        state = present(path)
    except SidecarError as error:
        return Here(effect=f"{_UNKNOWN if is_removed else _NOT_COMPARED} {error.message}")
    policy = policy_of(read) if state.policy is None else carried(policy_of(read), state.policy)
    refused = why_not_here(state.policy, policy) or lifecycle.why_not(state, policy)
    if refused:
        return Here(refused=refused)
    wanted = policy_hash(policy_of(read))
    if state.policy is None or state.measured is None or state.policy_hash == wanted:
        return Here()
    changed = changed_keys(state.measured, policy)
    sentence = _sentence(state, state.policy, policy, changed, is_known=wanted in state.policies)
    return Here(changed=changed, effect=sentence)


_UNKNOWN = "Whether `lifecycle: removed` is accepted cannot be known:"
_NOT_COMPARED = "The policy cannot be compared with that of the journal:"


def _sentence(state: State, before: Policy, policy: Policy, changed: tuple[str, ...], *, is_known: bool) -> str:
    """Return what adopting the policy would do."""
    if changed:
        effect = (
            f"{', '.join(changed)} changed, so an outcome means something else: the flag moves to the bottom rung "
            f"(now: rung {state.flag.rung}), and every indicator begins a new epoch"
        )
    elif before.proof != policy.proof:
        effect = "What must be proven changed: every indicator begins a new epoch, and the rung is kept"
    else:
        effect = "The evidence is kept"
    if policy.ladder != before.ladder or policy.dry_run != before.dry_run:
        effect += "; the ladder or the dry run changed too, which may move the flag down"
    if is_known:
        effect += ". It was in force before: it returns only with `sidecar run --adopt-policy --reason '...'`"
    return f"The policy differs from the one in force in the journal. {effect}."
