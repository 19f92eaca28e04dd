"""What is reported about a configuration file that is not valid."""

import re
from pathlib import Path

import pytest

from sidecar.config import Config, ConfigInvalid, read_config
from sidecar.ports import ErrorCode
from tests.shells.config_files import FOLDER, config_of
from tests.shells.config_messages import INVALID


@pytest.mark.parametrize("name", INVALID)
def test_a_problem_is_reported_with_place_allowed_values_and_suggestion(name: str) -> None:
    """A file with one problem gets one line: the place, what was found, what is allowed, and a likely correction."""
    with pytest.raises(ConfigInvalid) as caught:
        read_config(FOLDER / name)
    assert caught.value.message == f"{FOLDER / name}:{INVALID[name]}"
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert len(caught.value.problems) == 1


def test_every_invalid_file_has_its_row_and_every_row_its_file() -> None:
    """No test would read a file without a row."""
    assert {path.name for path in FOLDER.glob("invalid-*")} == set(INVALID)


def refusal_of(folder: Path, text: str) -> list[str]:
    """Return the problems of the text, without the name of the file."""
    with pytest.raises(ConfigInvalid) as caught:
        config_of(folder, text)
    return [line.removeprefix(f"{folder / 'sidecar.yaml'}:") for line in caught.value.message.splitlines()]


def test_all_problems_are_reported_at_once_and_in_the_files_order(tmp_path: Path) -> None:
    """One run reports every problem of every kind that is left to correct."""
    text = """\
polcy: {}
objective: {on_time_within: 30s, reliability: 0.99}
policy:
  lease: 30
  lease: 31s
  coverage_floor: 95%
ladder:
  - {mode: timer_polling, share: 99%}
  - {mode: push, soak: 3}
"""
    assert [line.split(";", 1)[0] for line in refusal_of(tmp_path, text)] == [
        "1:1: polcy: found an unknown key",
        "1:1: environment: found no such key",
        '2:29: objective.on_time_within: found "30s"',
        "2:47: objective.reliability: found the number 0.99",
        "4:10: policy.lease: found the number 30",
        "5:3: policy.lease: found the key a second time (the first is on line 4)",
        '6:19: policy.coverage_floor: found "95%"',
        '8:34: ladder[0].share: found "99%"',
        '9:12: ladder[1].mode: found "push"',
        "9:24: ladder[1].soak: found the number 3",
    ]


def test_a_rule_between_keys_skips_a_key_that_is_invalid_by_itself(tmp_path: Path) -> None:
    """One mistake is one message: an invalid value is not compared with others."""
    assert len(refusal_of(tmp_path, "environment: test\nobjective: {missed_after: 5, on_time_within: 60s}\n")) == 1


def test_an_invalid_rung_does_not_hide_problems_of_other_rungs(tmp_path: Path) -> None:
    """Two neighbouring rungs are compared if both are valid by themselves."""
    rungs = "[timer_polling, {mode: push_only, share: 50%}, {mode: push_only, share: 10%}]"
    found = [line.split(";", 1)[0] for line in refusal_of(tmp_path, f"environment: test\nladder: {rungs}\n")]
    assert found == ['2:10: ladder[0]: found "timer_polling"', '2:81: ladder[2].share: found "10%"']


def test_credentials_in_the_file_are_not_repeated(tmp_path: Path) -> None:
    """A message may end up in a log, so it masks secrets that should not be in the file."""
    lines = refusal_of(
        tmp_path,
        "environment: whsec_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
        "journal: postgres://admin:hunter2@db/payments\n"
        "stripe: {webhook_secret: whsec_0123456789abcdef}\n",
    )
    assert lines[0].startswith('1:14: environment: found "whsec_***"')
    assert '2:10: journal: found "postgres://***@db/payments"' in lines[1]
    assert not re.search("hunter2|0123456789", "\n".join(lines))


FILES = (
    # what exists                message
    ("nothing", ": found no such file; allowed: a YAML file"),
    ("a folder", ": found a directory; allowed: a YAML file"),
    ("a file too large", ": found more than 65536 bytes; allowed: at most 65536 bytes"),
    ("a file in the way", "/sidecar.yaml: found a file that cannot be read (Not a directory); allowed: a YAML file"),
    ("two thousand keys", ":500:6: found too many keys and values; allowed: at most 1000"),
)


@pytest.mark.parametrize(("there", "message"), FILES)
def test_a_file_that_cannot_be_read_is_refused_with_a_message(tmp_path: Path, there: str, message: str) -> None:
    """A path without a usable file also gets a message, and never a traceback."""
    path = tmp_path / "sidecar.yaml"
    asked = path
    if there == "a folder":
        path.mkdir()
    elif there == "a file too large":
        path.write_text("environment: test\n" + "#" * 65_536)
    elif there == "a file in the way":
        path.write_text("environment: test\n")
        asked = path / "sidecar.yaml"
    elif there == "two thousand keys":
        path.write_text("environment: test\n" + "key: 1\n" * 2000)
    with pytest.raises(ConfigInvalid) as caught:
        read_config(asked)
    assert caught.value.message == f"{path}{message}"


def test_a_file_of_65536_bytes_is_read(tmp_path: Path) -> None:
    """The limit is inclusive."""
    assert config_of(tmp_path, "environment: test\n#".ljust(65_536, "#")) == Config(environment="test")


def test_a_missing_file_gets_the_other_suffix_as_a_suggestion(tmp_path: Path) -> None:
    """`sidecar.yml` and `sidecar.yaml` are easily confused."""
    (tmp_path / "sidecar.yaml").write_text("environment: test\n")
    with pytest.raises(ConfigInvalid) as caught:
        read_config(tmp_path / "sidecar.yml")
    assert caught.value.message.endswith(
        f"found no such file; allowed: a YAML file; did you mean {tmp_path / 'sidecar.yaml'}?"
    )
