"""`sidecar init` and `sidecar check --here`: from an empty folder to a file that can run, and what each mistake gets."""

import importlib.resources
import json
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sidecar.cli import cli
from sidecar.cli.init import QUESTIONS, REVERB_QUESTIONS
from sidecar.cli.program import DEFAULT_CONFIG
from sidecar.config import read_config, sample
from sidecar.core.facts.policy import Mode
from tests.e2e.processes import WITHOUT_RIGHTS, free_port
from tests.shells.config_files import SHIPPED
from tests.waiting import HANGS_AFTER_S

REVERB = (
    *("--url", "wss://ws.example.test", "--app-id", "501", "--app-key", "key", "--user-id", "0"),
    *("--origin", "https://app.example.test", "--auth-endpoint", "https://app.example.test/broadcasting/auth"),
)
WEBHOOK = "whsec_0123456789abcdef"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, without secrets in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("SIDECAR_", "STRIPE_", "REVERB_"))]:
        monkeypatch.delenv(name)


def sidecar(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command in this process; return its exit code, and all that it printed."""
    ended = CliRunner().invoke(cli, arguments, env=env)
    error = ended.exception
    message = getattr(error, "message", "") if not isinstance(error, SystemExit) else ""
    assert error is None or isinstance(error, SystemExit) or message, ended.exc_info
    return ended.exit_code, ended.output + message


def loaded(path: Path = Path(".env")) -> dict[str, str]:
    """Return what a shell has after `set -a; . ./.env`."""
    command = f"set -a; . {path.absolute()}; env -0"
    shown = subprocess.run(["sh", "-c", command], env={}, capture_output=True, check=True, timeout=HANGS_AFTER_S)
    return dict(line.split("=", 1) for line in shown.stdout.decode().split("\0") if line)


def test_the_shipped_configuration_is_in_the_package_and_no_command_needs_a_clone() -> None:
    """The sample is package data, and the default file is in the folder where one works."""
    assert importlib.resources.files("sidecar.config").joinpath("sidecar.yaml").read_text() == SHIPPED.read_text()
    assert Path("sidecar.yaml") == DEFAULT_CONFIG
    assert sample.filled({}) == SHIPPED.read_text()


def test_init_writes_a_file_that_passes_check_and_says_what_is_next() -> None:
    """Without questions the defaults are taken; each key keeps its comment."""
    code, shown = sidecar("init", "--yes", env={"STRIPE_WEBHOOK_SECRET": WEBHOOK})
    assert code == 0, shown
    assert [line.strip()[:2] for line in shown.splitlines()[-3:]] == ["1.", "2.", "3."]
    assert Path("sidecar.yaml").read_text() == SHIPPED.read_text()
    assert sidecar("check")[0] == 0
    code, shown = sidecar("check", "--here", env=loaded())
    assert "secret" not in shown.lower()
    assert Path(".env").stat().st_mode & 0o777 == 0o600


def test_the_secrets_are_new_each_time_and_a_shell_reads_them() -> None:
    """Two deployments share no secret; the operator's token is one of the operators' tokens."""
    sidecar("init", "--yes")
    first = loaded()
    assert sidecar("init", "--yes", "--force")[0] == 0
    second = loaded()
    generated = {"SIDECAR_ACK_TOKEN", "SIDECAR_IDENTITY_KEY", "SIDECAR_BROWSER_SECRET", "SIDECAR_TOKEN"}
    for name in generated:
        assert len(first[name]) >= 32
        assert first[name] != second[name]
    assert len({first[name] for name in generated}) == len(generated)
    assert first["SIDECAR_OPERATOR_TOKENS"].endswith(f":operate:{first['SIDECAR_TOKEN']}")
    assert first["STRIPE_WEBHOOK_SECRET"] == ""


def test_secrets_of_the_environment_are_taken_over_and_refused_where_they_are_wrong() -> None:
    """A token with a character of the shell arrives unchanged; a wrong one writes nothing."""
    env = {"STRIPE_WEBHOOK_SECRET": WEBHOOK, "SIDECAR_PROBE_TOKEN": "1|a$b'c", "REVERB_APP_SECRET": "s3cret"}
    code, shown = sidecar("init", "--yes", *REVERB, env=env)
    assert (code, "Fill in" in shown) == (0, False)
    assert {name: loaded()[name] for name in env} == env
    code, shown = sidecar("init", "--yes", "--force", env={"STRIPE_WEBHOOK_SECRET": "sk_live_1"})
    assert (code, "does not begin with whsec_" in shown) == (2, True)
    assert loaded()["STRIPE_WEBHOOK_SECRET"] == WEBHOOK


def test_an_operators_token_of_the_environment_is_ones_own() -> None:
    """The token for this shell is one that the sidecar knows."""
    operators = "eve:read:0123456789abcdef,ada:operate:fedcba9876543210"
    assert sidecar("init", "--yes", env={"SIDECAR_OPERATOR_TOKENS": operators})[0] == 0
    assert (loaded()["SIDECAR_OPERATOR_TOKENS"], loaded()["SIDECAR_TOKEN"]) == (operators, "fedcba9876543210")


def test_a_folder_that_is_not_there_leaves_nothing_behind(tmp_path: Path) -> None:
    """The message names the file as it was given, and no secrets lie about."""
    code, shown = sidecar("init", "--yes", "--config", "none/sidecar.yaml")
    assert (code, "none/sidecar.yaml: cannot be written (No such file or directory)" in shown) == (2, True), shown
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("existing", ["sidecar.yaml", ".env"])
def test_nothing_is_overwritten_unless_forced(existing: str) -> None:
    """If one of the files exists, neither is written; with `--force` a secret file becomes private."""
    Path(existing).write_text("mine")
    code, shown = sidecar("init", "--yes")
    assert (code, f"{existing}: exist already, and nothing was written" in shown) == (2, True)
    assert [path.name for path in Path().iterdir()] == [existing]
    assert sidecar("init", "--yes", "--force")[0] == 0
    assert Path(".env").stat().st_mode & 0o777 == 0o600


def test_every_option_arrives_in_the_file() -> None:
    """Reverb's section stops being a comment, and what has no value stays one."""
    options = ("--environment", "no", "--test-mode", "--user-key", "user_id", "--metadata", "booking_id, tenant")
    code, shown = sidecar(
        *("init", "--yes", *options, "--contexts", "bookings,orders", *REVERB),
        *("--public", "127.0.0.1:9700", "--operator", "127.0.0.1:9701"),
    )
    assert code == 0, shown
    read = read_config("sidecar.yaml")
    assert (read.environment, read.stripe.livemode, read.stripe.user_key) == ("no", False, "user_id")
    assert (read.stripe.required_metadata, read.acks.contexts) == (("booking_id", "tenant"), ("bookings", "orders"))
    assert (str(read.listen.public), str(read.listen.operator)) == ("127.0.0.1:9700", "127.0.0.1:9701")
    assert read.reverb is not None
    assert (read.reverb.app_id, read.reverb.probe.user_id, read.reverb.isolation) == ("501", "0", None)
    assert (read.reverb.api_url, read.ladder[-1].mode) == (None, Mode.PUSH_ONLY)
    assert "Fill in STRIPE_WEBHOOK_SECRET, REVERB_APP_SECRET, SIDECAR_PROBE_TOKEN in .env" in shown


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--environment", "two words"), "environment: found"),
        (("--metadata", "[x]"), "stripe.required_metadata"),
        (("--url", "https://ws.example.test"), "reverb.url: found"),
        (("--url", "wss://ws.example.test"), "reverb.app_id: a value is required"),
        (("--app-id", "1"), "the options of Reverb need --url"),
        (("--public", "127.0.0.1:8701"), "another address than that of listen.public"),
    ],
)
def test_a_wrong_option_writes_nothing_and_names_its_key(options: Sequence[str], words: str) -> None:
    """The message is that of the file."""
    code, shown = sidecar("init", "--yes", *options)
    assert (code, words in shown) == (2, True), shown
    assert not list(Path().iterdir())


def test_on_a_terminal_it_asks_and_asks_again_after_a_wrong_answer() -> None:
    """Each question has its answer in the file; a wrong one is explained at once."""
    answers = ["two words", "staging", "false", "user_id", "", "orders", "wss://ws.example.test"]
    answers += ["501", "key", "https://app.example.test", "https://app.example.test/broadcasting/auth", "0"]
    main, end = pty.openpty()
    with subprocess.Popen([sys.executable, "-m", "sidecar", "init"], stdin=end, stdout=end, stderr=end) as process:
        os.close(end)
        os.write(main, "".join(f"{answer}\n" for answer in answers).encode())
        shown = b""
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # the terminal's other end is closed
                break
            if not part:
                break
            shown += part
        os.close(main)
        assert process.wait(HANGS_AFTER_S) == 0, shown.decode()
    assert b'environment: found "two words"' in shown
    read = read_config("sidecar.yaml")
    assert (read.environment, read.stripe.livemode, read.acks.contexts) == ("staging", False, ("orders",))
    assert read.reverb is not None
    assert read.reverb.probe.user_id == "0"
    assert len(QUESTIONS) + len(REVERB_QUESTIONS) + 1 == len(answers)


def test_check_here_names_all_that_keeps_run_from_working(tmp_path: Path) -> None:
    """Missing secrets, a folder that is not there, and a port that another program has: each in one line."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        sidecar("init", "--yes", "--public", taken, "--operator", f"127.0.0.1:{free_port()}")
        text = Path("sidecar.yaml").read_text()
        Path("sidecar.yaml").write_text(text.replace("sqlite:reverb-sidecar.db", f"sqlite:{tmp_path}/none/j.db"))
        assert sidecar("check")[0] == 0
        code, shown = sidecar("check", "--here")
    assert code == 1
    assert "STRIPE_WEBHOOK_SECRET: found nothing" in shown
    assert "There is a .env here; load it with: set -a; . ./.env; set +a" in shown
    assert f"journal: there is no folder {tmp_path}/none" in shown
    assert f"listen.public: {taken} is taken by another program" in shown


def test_check_here_names_an_address_that_is_not_of_this_machine() -> None:
    """TEST-NET-1 is no machine's address."""
    sidecar("init", "--yes", "--public", "192.0.2.1:8700", "--operator", f"127.0.0.1:{free_port()}")
    found = json.loads(sidecar("check", "--here", "--json", env=loaded())[1])
    assert [line.partition(";")[0] for line in found["here"]["machine"]] == [
        "listen.public: 192.0.2.1:8700 is not an address of this machine"
    ]


def test_check_here_names_a_folder_that_is_not_writable(tmp_path: Path) -> None:
    """The journal, its log and its lock are made there."""
    sidecar("init", "--yes")
    tmp_path.chmod(0o500)
    command = [*WITHOUT_RIGHTS, sys.executable, "-m", "sidecar", "check", "--here"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANGS_AFTER_S)
    finally:
        tmp_path.chmod(0o700)
    assert f"journal: the folder {tmp_path} is not writable for this user" in shown.stdout


BLOCKED = [
    ({"reverb.url": "ws://ws.example.test"}, "reverb.url: ws://ws.example.test is not encrypted"),
    ({"reverb.auth_endpoint": "http://app.example.test/a"}, "reverb.auth_endpoint: http://app.example.test/a is not"),
    ({"reverb.origin": "http://app.example.test"}, "reverb.origin: http://app.example.test is a page over plain HTTP"),
    ({"acks.browser_origins": "[http://app.example.test]"}, "acks.browser_origins: http://app.example.test is a page"),
    ({"reverb.url": "wss://ws.example.test:6000"}, "reverb.url: browsers refuse to connect to port 6000"),
    (
        {
            "reverb.auth_endpoint": "https://api.example.test/broadcasting/auth",
            "reverb.echo": "{credentials: cookie}",
            "reverb.probe.login": "cookie",
        },
        "reverb.auth_endpoint: https://api.example.test/broadcasting/auth has another origin",
    ),
]


@pytest.mark.parametrize(("values", "words"), BLOCKED)
def test_check_names_what_browsers_block(values: dict[str, str], words: str) -> None:
    """The file alone shows it; the verdict on the file is unchanged."""
    base = {"reverb.url": "wss://ws.example.test"}
    Path("sidecar.yaml").write_text(sample.filled(base | values))
    code, shown = sidecar("check")
    assert (code, f"Blocked by browsers: {words}" in shown) == (0, True), shown


@pytest.mark.parametrize(
    "values",
    [
        {"reverb.url": "wss://ws.example.test"},
        {"reverb.url": "ws://127.0.0.1:8080", "reverb.origin": "http://localhost:8000"},
        {"reverb.url": "ws://localhost:8080"},
    ],
)
def test_check_blames_nothing_that_browsers_allow(values: dict[str, str]) -> None:
    """Hosts of this machine are trusted without encryption."""
    Path("sidecar.yaml").write_text(sample.filled(values))
    assert "Blocked" not in sidecar("check")[1]


def test_typer_knows_of_no_terminal_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also without `--yes`: standard input is no terminal."""
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: pytest.fail("it asked"))
    assert sidecar("init")[0] == 0
