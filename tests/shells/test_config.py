"""What the configuration and the secrets may be, and what is said of those that may not."""

import ast
import re
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.config import (
    Acks,
    Address,
    Config,
    ConfigInvalid,
    LadderRung,
    Listen,
    MemoryPlace,
    Objective,
    PolicyKeys,
    ReachWaived,
    RedisStream,
    SqlitePlace,
    Stripe,
    policy_of,
    read_config,
    schema,
)
from sidecar.config.places import AddressText, JournalText
from sidecar.config.quantities import Duration, Rate, duration_text, milliseconds, parts_per_million, rate_text
from sidecar.config.scalars import Boolean, Choice, Guess, Kind, Refused, Scalar, Text, Whole
from sidecar.core.policy import PPM, Mode, Policy, Rung, Stage, policy_hash
from sidecar.ports import ErrorCode

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "sidecar.yaml"
FOLDER = ROOT / "tests" / "config_files"

INVALID = {
    "invalid-empty.yaml": "1:1: found an empty file; allowed: a mapping with at least the key environment",
    "invalid-not-a-mapping.yaml": "1:1: found a list; allowed: a mapping with the keys environment, flag, journal, listen, stripe, acks, objective, policy, ladder",
    "invalid-not-utf-8.yaml": "1:24: found the byte 0xE9, which is not UTF-8; allowed: UTF-8",
    "invalid-control-character.yaml": "2:14: found the character U+0007; allowed: printable characters, line breaks, and tabs inside a value",
    "invalid-tab.yaml": "3:1: found a tab; allowed: spaces: YAML does not indent with tabs",
    "invalid-unclosed-quote.yaml": '2:7: found YAML that cannot be read (while scanning a quoted scalar: found unexpected end of stream); allowed: YAML, where "key: value" has a space after the colon, spaces indent, and quotes are needed round a value that ends in : or starts with one of [ { @ % `',
    "invalid-unclosed-brace.yaml": "2:9: found YAML that cannot be read (while parsing a flow mapping: expected ',' or '}', but got '<stream end>'); allowed: YAML, where \"key: value\" has a space after the colon, spaces indent, and quotes are needed round a value that ends in : or starts with one of [ { @ % `",
    "invalid-missing-space.yaml": "2:1: found YAML that cannot be read (while scanning a simple key: could not find expected ':'); allowed: YAML, where \"key: value\" has a space after the colon, spaces indent, and quotes are needed round a value that ends in : or starts with one of [ { @ % `",
    "invalid-unquoted-memory.yaml": '2:16: found YAML that cannot be read (mapping values are not allowed here); allowed: YAML, where "key: value" has a space after the colon, spaces indent, and quotes are needed round a value that ends in : or starts with one of [ { @ % `; did you mean journal: "memory:"?',
    "invalid-unquoted-ipv6.yaml": '3:12: found YAML that cannot be read (while parsing a flow node: expected the node content, but found \':\'); allowed: YAML, where "key: value" has a space after the colon, spaces indent, and quotes are needed round a value that ends in : or starts with one of [ { @ % `; did you mean public: "[::1]:8700"?',
    "invalid-two-documents.yaml": "2:1: found a second document; allowed: one document in a file",
    "invalid-anchor.yaml": "3:13: found the anchor &ours; allowed: values without anchors, aliases and tags",
    "invalid-alias.yaml": "2:7: found the alias *name; allowed: values without anchors, aliases and tags",
    "invalid-tag.yaml": "3:12: found the tag !!bool; allowed: values without anchors, aliases and tags",
    "invalid-too-deep.yaml": "3:31: found a list or mapping in too many others; allowed: at most 20 levels",
    "invalid-escape-out-of-range.yaml": '2:10: found YAML that cannot be read (a number out of range); allowed: YAML, where "key: value" has a space after the colon, spaces indent, and quotes are needed round a value that ends in : or starts with one of [ { @ % `',
    "invalid-duplicate-key.yaml": "4:3: policy.lease: found the key a second time (the first is on line 3); allowed: each key once",
    "invalid-unknown-key.yaml": "2:1: polcy: found an unknown key; allowed: the keys environment, flag, journal, listen, stripe, acks, objective, policy, ladder; did you mean policy?",
    "invalid-unknown-key-in-section.yaml": "3:3: policy.leese: found an unknown key; allowed: the keys false_promotion_risk, unacceptable_reliability, false_alarm_once_in, coverage, coverage_floor, reach, lease, cooldown, resume_after, dry_run; did you mean lease?",
    "invalid-key-of-a-later-version.yaml": "2:1: reverb: found an unknown key; allowed: the keys environment, flag, journal, listen, stripe, acks, objective, policy, ladder",
    "invalid-key-in-the-wrong-place.yaml": "2:1: lease: found an unknown key; allowed: the keys environment, flag, journal, listen, stripe, acks, objective, policy, ladder; did you mean policy.lease?",
    "invalid-merge-key.yaml": '2:1: "<<": found an unknown key; allowed: the keys environment, flag, journal, listen, stripe, acks, objective, policy, ladder',
    "invalid-list-as-key.yaml": "2:3: found a list as a key; allowed: the keys environment, flag, journal, listen, stripe, acks, objective, policy, ladder",
    "invalid-missing-environment.yaml": "1:1: environment: found no such key; allowed: 1 to 64 of the characters A-Z a-z 0-9 . _ -; the key is required",
    "invalid-missing-mode.yaml": "4:5: ladder[1].mode: found no such key; allowed: timer_polling, push_with_safety_net or push_only; the key is required",
    "invalid-nothing.yaml": "3:9: policy.lease: found nothing; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 2s to 10m; or leave the key out",
    "invalid-empty-section.yaml": "2:8: policy: found nothing; allowed: a mapping with the keys false_promotion_risk, unacceptable_reliability, false_alarm_once_in, coverage, coverage_floor, reach, lease, cooldown, resume_after, dry_run; or leave the key out",
    "invalid-list-for-section.yaml": "2:9: policy: found a list; allowed: a mapping with the keys false_promotion_risk, unacceptable_reliability, false_alarm_once_in, coverage, coverage_floor, reach, lease, cooldown, resume_after, dry_run",
    "invalid-section-for-value.yaml": "2:7: flag: found a mapping; allowed: 1 to 64 of the characters a-z 0-9 . _ -",
    "invalid-environment-number.yaml": '1:14: environment: found the number 2024; allowed: 1 to 64 of the characters A-Z a-z 0-9 . _ -; did you mean "2024"?',
    "invalid-environment-boolean.yaml": '1:14: environment: found the boolean on; allowed: 1 to 64 of the characters A-Z a-z 0-9 . _ -; did you mean "on"?',
    "invalid-environment-spaces.yaml": '1:14: environment: found "My Production"; allowed: 1 to 64 of the characters A-Z a-z 0-9 . _ -; did you mean "My-Production"?',
    "invalid-environment-too-long.yaml": '1:14: environment: found "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"; allowed: 1 to 64 of the characters A-Z a-z 0-9 . _ -',
    "invalid-flag-capitals.yaml": '2:7: flag: found "Payment-Refresh"; allowed: 1 to 64 of the characters a-z 0-9 . _ -; did you mean "payment-refresh"?',
    "invalid-livemode-quoted-yes.yaml": '3:13: stripe.livemode: found "yes"; allowed: true or false, without quotes; did you mean true?',
    "invalid-livemode-no.yaml": "3:13: stripe.livemode: found the boolean no; allowed: true or false, without quotes; did you mean false?",
    "invalid-dry-run-number.yaml": "3:12: policy.dry_run: found the number 1; allowed: true or false, without quotes",
    "invalid-user-key-brackets.yaml": '3:13: stripe.user_key: found "user[id]"; allowed: a Stripe metadata key: 1 to 40 printable characters without square brackets',
    "invalid-user-key-unprintable.yaml": '3:13: stripe.user_key: found "user\\u202eid"; allowed: a Stripe metadata key: 1 to 40 printable characters without square brackets',
    "invalid-metadata-key-too-long.yaml": '3:35: stripe.required_metadata[1]: found "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"; allowed: a Stripe metadata key: 1 to 40 printable characters without square brackets',
    "invalid-metadata-key-twice.yaml": '3:35: stripe.required_metadata[1]: found "booking_id" a second time; allowed: each value once',
    "invalid-contexts-not-a-list.yaml": '3:13: acks.contexts: found "bookings"; allowed: a list of 1 to 20 contexts such as bookings; did you mean [bookings]?',
    "invalid-contexts-empty.yaml": "3:13: acks.contexts: found an empty list; allowed: a list of 1 to 20 contexts such as bookings",
    "invalid-stage-misspelt.yaml": '3:10: acks.stage: found "deliverd"; allowed: paid, dispatched, delivered or refreshed; did you mean delivered?',
    "invalid-stage-skipped.yaml": '3:10: acks.stage: found "skipped"; allowed: paid, dispatched, delivered or refreshed',
    "invalid-reach-word.yaml": '3:10: policy.reach: found "not_required"; allowed: a rate such as 99% or 99.95%, from 50% to 99.9999%, or a mapping with the key not_required',
    "invalid-reach-without-a-reason.yaml": '3:25: policy.reach.not_required: found ""; allowed: the reason, in 1 to 200 printable characters',
    "invalid-journal-redis.yaml": '2:10: journal: found "redis://***@redis.example.test:6379/0"; allowed: sqlite:PATH, or "memory:" in quotes (this version keeps its journal in SQLite, on one machine)',
    "invalid-journal-bare-path.yaml": '2:10: journal: found "/var/lib/reverb-sidecar.db"; allowed: sqlite:PATH, or "memory:" in quotes; did you mean "sqlite:/var/lib/reverb-sidecar.db"?',
    "invalid-journal-sqlite-url.yaml": '2:10: journal: found "sqlite:///var/lib/reverb-sidecar.db"; allowed: sqlite:PATH, or "memory:" in quotes; did you mean "sqlite:/var/lib/reverb-sidecar.db"?',
    "invalid-journal-memory-word.yaml": '2:10: journal: found "memory"; allowed: sqlite:PATH, or "memory:" in quotes; did you mean "memory:"?',
    "invalid-listen-port-only.yaml": '3:11: listen.public: found the number 8700; allowed: host:port such as 127.0.0.1:8700 or "[::1]:8700", with a port from 0 (any that is free) to 65535; did you mean "127.0.0.1:8700"?',
    "invalid-listen-without-host.yaml": '3:11: listen.public: found ":8700"; allowed: host:port such as 127.0.0.1:8700 or "[::1]:8700", with a port from 0 (any that is free) to 65535; did you mean "0.0.0.0:8700"?',
    "invalid-listen-without-port.yaml": '3:11: listen.public: found "localhost"; allowed: host:port such as 127.0.0.1:8700 or "[::1]:8700", with a port from 0 (any that is free) to 65535',
    "invalid-listen-port-too-large.yaml": '3:11: listen.public: found "127.0.0.1:65536"; allowed: host:port such as 127.0.0.1:8700 or "[::1]:8700", with a port from 0 (any that is free) to 65535',
    "invalid-listen-url.yaml": '3:11: listen.public: found "http://127.0.0.1:8700/"; allowed: host:port such as 127.0.0.1:8700 or "[::1]:8700", with a port from 0 (any that is free) to 65535; did you mean "127.0.0.1:8700"?',
    "invalid-listen-ipv4-out-of-range.yaml": '3:11: listen.public: found "127.0.0.256:8700"; allowed: host:port such as 127.0.0.1:8700 or "[::1]:8700", with a port from 0 (any that is free) to 65535',
    "invalid-listen-bare-ipv6.yaml": '3:11: listen.public: found "::1:8700"; allowed: host:port such as 127.0.0.1:8700 or "[::1]:8700", with a port from 0 (any that is free) to 65535; did you mean "[::1]:8700"?',
    "invalid-listen-same-address.yaml": '3:13: listen.operator: found "127.0.0.1:8700"; allowed: another address than that of listen.public, which is 127.0.0.1:8700 by default',
    "invalid-listen-metrics-on-a-wildcard.yaml": '3:12: listen.metrics: found "0.0.0.0:8701"; allowed: another address than that of listen.operator, which is 127.0.0.1:8701 by default',
    "invalid-duration-space.yaml": '3:10: policy.lease: found "30 sec"; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 2s to 10m; did you mean "30s"?',
    "invalid-duration-number.yaml": '3:33: ladder[0].soak: found the number 72; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 0s to 90d; did you mean "72h"?',
    "invalid-duration-compound.yaml": '3:13: policy.cooldown: found "1h30m"; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 0s to 7d; did you mean "90m"?',
    "invalid-duration-fraction.yaml": '3:19: objective.on_time_within: found "1.5s"; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 100ms to 60s; did you mean "1500ms"?',
    "invalid-duration-sexagesimal.yaml": "3:13: policy.cooldown: found the number 1:30; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 0s to 7d",
    "invalid-duration-boolean.yaml": "3:10: policy.lease: found the boolean yes; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 2s to 10m",
    "invalid-duration-weeks.yaml": '3:13: policy.cooldown: found "1w"; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 0s to 7d',
    "invalid-duration-date.yaml": "3:13: policy.cooldown: found the date 2026-01-01; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 0s to 7d",
    "invalid-rate-fraction.yaml": '3:16: objective.reliability: found the number 0.99; allowed: a rate such as 99% or 99.95%, from 50% to 99.9999%; did you mean "99%"?',
    "invalid-rate-number.yaml": '3:16: objective.reliability: found the number 99.5; allowed: a rate such as 99% or 99.95%, from 50% to 99.9999%; did you mean "99.5%"?',
    "invalid-rate-space.yaml": '3:16: objective.reliability: found "99 %"; allowed: a rate such as 99% or 99.95%, from 50% to 99.9999%; did you mean "99%"?',
    "invalid-rate-five-decimals.yaml": '3:16: objective.reliability: found "99.99995%"; allowed: a rate such as 99% or 99.95%, from 50% to 99.9999%; did you mean "99.9999%"?',
    "invalid-rate-ambiguous-one.yaml": "4:30: ladder[1].share: found the number 1; allowed: a rate such as 99% or 99.95%, from 0.0001% to 100%",
    "invalid-whole-underscores.yaml": "3:24: policy.false_alarm_once_in: found the number 100_000; allowed: a whole number from 100 to 10000000, in digits and without quotes; did you mean 100000?",
    "invalid-whole-exponent.yaml": '3:24: policy.false_alarm_once_in: found "1e5"; allowed: a whole number from 100 to 10000000, in digits and without quotes; did you mean 100000?',
    "invalid-whole-leading-zero.yaml": "3:24: policy.false_alarm_once_in: found the number 0100000; allowed: a whole number from 100 to 10000000, in digits and without quotes",
    "invalid-whole-quoted.yaml": '3:24: policy.false_alarm_once_in: found "100000"; allowed: a whole number from 100 to 10000000, in digits and without quotes; did you mean 100000?',
    "invalid-on-time-within-too-short.yaml": '3:19: objective.on_time_within: found "99ms"; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 100ms to 60s',
    "invalid-on-time-within-too-long.yaml": '2:29: objective.on_time_within: found "61s"; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 100ms to 60s',
    "invalid-missed-after-too-long.yaml": '3:17: objective.missed_after: found "11m"; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 1s to 10m',
    "invalid-reliability-too-low.yaml": '2:26: objective.reliability: found "49.9999%"; allowed: a rate such as 99% or 99.95%, from 50% to 99.9999%',
    "invalid-reliability-whole.yaml": '3:16: objective.reliability: found "100%"; allowed: a rate such as 99% or 99.95%, from 50% to 99.9999%',
    "invalid-risk-too-high.yaml": '3:25: policy.false_promotion_risk: found "20.0001%"; allowed: a rate such as 99% or 99.95%, from 0.0001% to 20%',
    "invalid-risk-zero.yaml": '3:25: policy.false_promotion_risk: found "0%"; allowed: a rate such as 99% or 99.95%, from 0.0001% to 20%',
    "invalid-unacceptable-zero.yaml": '3:29: policy.unacceptable_reliability: found "0%"; allowed: a rate such as 99% or 99.95%, from 0.0001% to 99.9999%',
    "invalid-false-alarm-too-often.yaml": "3:24: policy.false_alarm_once_in: found the number 99; allowed: a whole number from 100 to 10000000, in digits and without quotes",
    "invalid-false-alarm-too-rare.yaml": "3:24: policy.false_alarm_once_in: found the number 10000001; allowed: a whole number from 100 to 10000000, in digits and without quotes",
    "invalid-lease-too-short.yaml": '3:10: policy.lease: found "1999ms"; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 2s to 10m',
    "invalid-lease-too-long.yaml": '3:10: policy.lease: found "601s"; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 2s to 10m',
    "invalid-cooldown-too-long.yaml": '3:13: policy.cooldown: found "8d"; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 0s to 7d',
    "invalid-soak-too-long.yaml": '3:33: ladder[0].soak: found "91d"; allowed: a duration such as 250ms, 2s, 5m, 1h or 14d, from 0s to 90d',
    "invalid-share-zero.yaml": '4:30: ladder[1].share: found "0%"; allowed: a rate such as 99% or 99.95%, from 0.0001% to 100%',
    "invalid-late-after-missed.yaml": '3:19: objective.on_time_within: found "30s"; allowed: less than objective.missed_after, which is 30s by default',
    "invalid-missed-before-late.yaml": '3:17: objective.missed_after: found "2s"; allowed: more than objective.on_time_within, which is 2s by default',
    "invalid-unacceptable-not-below-reliability.yaml": '3:36: policy.unacceptable_reliability: found "98%"; allowed: less than objective.reliability, which is 98%',
    "invalid-reliability-not-above-unacceptable.yaml": '3:16: objective.reliability: found "95%"; allowed: more than policy.unacceptable_reliability, which is 95% by default',
    "invalid-coverage-floor-not-below-coverage.yaml": '3:19: policy.coverage_floor: found "95%"; allowed: less than policy.coverage, which is 95% by default',
    "invalid-ladder-mapping.yaml": "3:3: ladder: found a mapping; allowed: a list of 2 to 20 rungs, from the safest to the best",
    "invalid-ladder-one-rung.yaml": "3:3: ladder: found a list of 1; allowed: a list of 2 to 20 rungs, from the safest to the best",
    "invalid-ladder-too-long.yaml": "3:3: ladder: found a list of 21; allowed: a list of 2 to 20 rungs, from the safest to the best",
    "invalid-ladder-mode-misspelt.yaml": '4:12: ladder[1].mode: found "push-only"; allowed: timer_polling, push_with_safety_net or push_only; did you mean push_only?',
    "invalid-ladder-rung-is-a-word.yaml": '3:5: ladder[0]: found "timer_polling"; allowed: a mapping with the keys mode, share, soak, approval',
    "invalid-ladder-first-is-not-timers.yaml": '3:12: ladder[0].mode: found "push_with_safety_net"; allowed: timer_polling on the first rung: the flag falls onto it; did you mean timer_polling?',
    "invalid-ladder-first-share.yaml": '3:34: ladder[0].share: found "50%"; allowed: 100% on the first rung: the flag falls onto it for everybody',
    "invalid-ladder-first-approval.yaml": '3:37: ladder[0].approval: found "required"; allowed: no approval on the first rung: nobody climbs onto it',
    "invalid-ladder-approval-true.yaml": "4:33: ladder[1].approval: found the boolean true; allowed: required, or no such key",
    "invalid-ladder-worse-mode.yaml": '5:12: ladder[2].mode: found "push_with_safety_net"; allowed: a mode that is no worse; the rung below has push_only for 100%',
    "invalid-ladder-smaller-share.yaml": '5:30: ladder[2].share: found "10%"; allowed: in the same mode a larger share; the rung below has push_only for 50%',
    "invalid-ladder-repeated-rung.yaml": "5:12: ladder[2]: found the same rung again; allowed: each mode and share once; the rung below has push_only for 100%",
    "invalid-ladder-better-mode-too-early.yaml": '5:12: ladder[2].mode: found "push_only"; allowed: a better mode only after 100% of the last one; the rung below has push_with_safety_net for 10%',
    "invalid-redis-stream-password.yaml": '3:23: acks.redis_stream.url: found "redis://***@db:6379/0"; allowed: redis://HOST:PORT/DB, or rediss: for TLS, without a user or a password (that is SIDECAR_REDIS_PASSWORD)',
    "invalid-redis-stream-scheme.yaml": '3:23: acks.redis_stream.url: found "http://db:6379"; allowed: redis://HOST:PORT/DB, or rediss: for TLS, without a user or a password (that is SIDECAR_REDIS_PASSWORD)',
    "invalid-redis-stream-no-url.yaml": "3:17: acks.redis_stream.url: found no such key; allowed: redis://HOST:PORT/DB, or rediss: for TLS, without a user or a password (that is SIDECAR_REDIS_PASSWORD); the key is required",
    "invalid-redis-stream-name.yaml": '3:43: acks.redis_stream.name: found "broadcast acks"; allowed: 1 to 128 of the characters A-Z a-z 0-9 . _ : { } -',
}
"""The file, and all that is said of it: `file:` and this."""


@pytest.mark.parametrize("name", INVALID)
def test_what_is_wrong_is_said_with_its_place_what_is_allowed_and_what_was_meant(name: str) -> None:
    """A file that is wrong in one way gets one line: where, what was found, what is allowed, and a likely correction."""
    with pytest.raises(ConfigInvalid) as caught:
        read_config(FOLDER / name)
    assert caught.value.message == f"{FOLDER / name}:{INVALID[name]}"
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert len(caught.value.problems) == 1


def test_every_invalid_file_has_its_row_and_every_row_its_file() -> None:
    """A file without a row would be tested by nobody."""
    assert {path.name for path in FOLDER.glob("invalid-*")} == set(INVALID)


def config_of(folder: Path, text: str) -> Config:
    """Return the configuration in the text."""
    file = folder / "sidecar.yaml"
    file.write_bytes(text.encode())
    return read_config(file)


def refusal_of(folder: Path, text: str) -> list[str]:
    """Return what is said of the text, without the name of the file."""
    with pytest.raises(ConfigInvalid) as caught:
        config_of(folder, text)
    return [line.removeprefix(f"{folder / 'sidecar.yaml'}:") for line in caught.value.message.splitlines()]


def test_all_problems_are_reported_at_once_and_in_the_files_order(tmp_path: Path) -> None:
    """Whoever repairs a file sees in one run what is left to repair, whatever kinds of mistakes there are."""
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


def test_a_rule_between_keys_says_nothing_of_a_key_that_is_wrong_by_itself(tmp_path: Path) -> None:
    """One mistake is one message: a value that could not be read is compared with nothing."""
    assert len(refusal_of(tmp_path, "environment: test\nobjective: {missed_after: 5, on_time_within: 60s}\n")) == 1


def test_a_rung_that_cannot_be_read_hides_no_problem_of_those_above_it(tmp_path: Path) -> None:
    """Rungs are compared wherever two neighbours are right by themselves."""
    rungs = "[timer_polling, {mode: push_only, share: 50%}, {mode: push_only, share: 10%}]"
    found = [line.split(";", 1)[0] for line in refusal_of(tmp_path, f"environment: test\nladder: {rungs}\n")]
    assert found == ['2:10: ladder[0]: found "timer_polling"', '2:81: ladder[2].share: found "10%"']


def test_credentials_in_the_file_are_not_repeated(tmp_path: Path) -> None:
    """A message ends up in a log, so that secrets which do not belong into the file must not get there either."""
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
    # what is there              what is said
    ("nothing", ": found no such file; allowed: a YAML file"),
    ("a folder", ": found a directory; allowed: a YAML file"),
    ("a file too large", ": found more than 65536 bytes; allowed: at most 65536 bytes"),
    ("a file in the way", "/sidecar.yaml: found a file that cannot be read (Not a directory); allowed: a YAML file"),
    ("two thousand keys", ":500:6: found too many keys and values; allowed: at most 1000"),
)


@pytest.mark.parametrize(("there", "said"), FILES)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, there: str, said: str) -> None:
    """What is no configuration file at all gets a message as well, and never a traceback."""
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
    assert caught.value.message == f"{path}{said}"


def test_a_file_of_65536_bytes_is_read(tmp_path: Path) -> None:
    """The limit is inclusive."""
    assert config_of(tmp_path, "environment: test\n#".ljust(65_536, "#")) == Config(environment="test")


def test_a_missing_file_with_a_twin_is_told_of_it(tmp_path: Path) -> None:
    """`sidecar.yml` and `sidecar.yaml` are easily taken for each other."""
    (tmp_path / "sidecar.yaml").write_text("environment: test\n")
    with pytest.raises(ConfigInvalid) as caught:
        read_config(tmp_path / "sidecar.yml")
    assert caught.value.message.endswith(
        f"found no such file; allowed: a YAML file; did you mean {tmp_path / 'sidecar.yaml'}?"
    )


def test_the_shipped_file_says_what_the_defaults_are() -> None:
    """A key that is taken out of the shipped file keeps its meaning."""
    assert read_config(SHIPPED) == Config(environment="production")


SECTIONS: tuple[type[schema.Section], ...] = (
    Config,
    Listen,
    Stripe,
    RedisStream,
    Acks,
    Objective,
    PolicyKeys,
    ReachWaived,
    LadderRung,
)


def test_every_key_is_in_the_shipped_file_with_a_comment() -> None:
    """Whoever configures the sidecar finds all that there is in one file; optional keys stand in comments."""
    lines = SHIPPED.read_text().splitlines()
    keys = [field.encode_name for section in SECTIONS for field in msgspec.structs.fields(section)]
    shown = [key for key in keys if any(re.search(rf"\b{key}: *[^#]*#|#.*\b{key}: ", line) for line in lines)]
    assert shown == keys


def test_every_key_is_documented_under_its_field() -> None:
    """The documentation of a key sits where the key is defined, so that neither changes without the other."""
    assert set(SECTIONS) == set(schema.Section.__subclasses__())
    classes = [node for node in ast.parse(Path(schema.__file__).read_text()).body if isinstance(node, ast.ClassDef)]
    for section in SECTIONS:
        (body,) = [node.body for node in classes if node.name == section.__name__]
        undocumented = [
            ast.unparse(field)
            for field, below in zip(body, [*body[1:], ast.Pass()], strict=True)
            if isinstance(field, ast.AnnAssign)
            and not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant))
        ]
        assert undocumented == []


def test_a_file_may_say_everything(tmp_path: Path) -> None:
    """Each key reaches its own field, in the unit that the field's name says."""
    text = """\
environment: Staging.eu-1
flag: my_flag
journal: sqlite:/var/lib/sidecar/journal.db
listen: {public: "[::1]:8700", operator: "localhost:0", metrics: 0.0.0.0:9000}
stripe: {livemode: false, user_key: user id, required_metadata: [booking_id, tenant]}
acks: {contexts: [bookings, App.Models:Trip/2], stage: refreshed}
objective: {on_time_within: 250ms, missed_after: 1m, reliability: 99.9999%}
policy:
  false_promotion_risk: 0.5%
  unacceptable_reliability: 90%
  false_alarm_once_in: 200000
  coverage: 100%
  coverage_floor: 0%
  reach: {not_required: no browser reports yet}
  lease: "1m"
  cooldown: 0s
  resume_after: 90s
  dry_run: true
ladder:
  - {mode: timer_polling, soak: 14d}
  - {mode: push_only, share: 0.0001%, soak: 1h, approval: required}
"""
    assert config_of(tmp_path, text) == Config(
        environment="Staging.eu-1",
        flag="my_flag",
        journal=SqlitePlace(path="/var/lib/sidecar/journal.db"),
        listen=Listen(
            public=Address(host="::1", port=8700),
            operator=Address(host="localhost", port=0),
            metrics=Address(host="0.0.0.0", port=9000),  # noqa: S104 - read, not bound
        ),
        stripe=Stripe(livemode=False, user_key="user id", required_metadata=("booking_id", "tenant")),
        acks=Acks(contexts=("bookings", "App.Models:Trip/2"), stage=Stage.REFRESHED),
        objective=Objective(on_time_within_ms=250, missed_after_ms=60_000, reliability_ppm=999_999),
        policy=PolicyKeys(
            false_promotion_risk_ppm=5_000,
            unacceptable_reliability_ppm=900_000,
            false_alarm_once_in=200_000,
            coverage_ppm=PPM,
            coverage_floor_ppm=0,
            reach=ReachWaived(not_required="no browser reports yet"),
            lease_ms=60_000,
            cooldown_ms=0,
            resume_after_ms=90_000,
            dry_run=True,
        ),
        ladder=(
            LadderRung(mode=Mode.TIMER_POLLING, soak_ms=14 * 86_400_000),
            LadderRung(mode=Mode.PUSH_ONLY, share_ppm=1, soak_ms=3_600_000, approval_required=True),
        ),
    )


ACCEPTED = (
    "objective: {on_time_within: 100ms}",
    "objective: {on_time_within: 60s, missed_after: 10m}",
    "objective: {on_time_within: 999ms, missed_after: 1s}",
    "objective: {reliability: 95.0001%}",
    "objective: {reliability: 50%}\npolicy: {unacceptable_reliability: 49.9999%}",
    "policy: {unacceptable_reliability: 0.0001%}",
    "policy: {false_promotion_risk: 20%}",
    "policy: {false_promotion_risk: 0.0001%}",
    "policy: {false_alarm_once_in: 100}",
    "policy: {false_alarm_once_in: 10000000}",
    "policy: {coverage_floor: 94.9999%}",
    "policy: {lease: 2s}",
    "policy: {lease: 10m}",
    "policy: {cooldown: 7d, resume_after: 24h}",
    "policy: {cooldown: 0s, resume_after: 0s}",
    "policy: {reach: 50%}",
    'journal: "memory:"',
    "journal: sqlite:C/journal.db",
    "listen: {public: 127.0.0.1:65535, operator: sidecar.internal:65535}",
    "listen: {public: 127.0.0.1:0, operator: 127.0.0.1:0, metrics: 0.0.0.0:0}",
    "stripe: {user_key: " + "k" * 40 + "}",
    "flag: " + "f" * 64,
    "ladder: [{mode: timer_polling, soak: 90d}, {mode: push_only, soak: 1h}]",
    "ladder: [{mode: timer_polling}, {mode: push_with_safety_net}]",
)
"""The last values inside the limits; `INVALID` has the first ones outside."""


@pytest.mark.parametrize("text", ACCEPTED)
def test_limits_are_inclusive(tmp_path: Path, text: str) -> None:
    """What a message names as allowed is allowed, up to the last value."""
    config_of(tmp_path, f"environment: test\n{text}\n")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Some editors write one, and nobody sees it."""
    assert config_of(tmp_path, "\ufeffenvironment: test\n") == Config(environment="test")


def test_a_journal_in_memory_is_told_from_a_file(tmp_path: Path) -> None:
    """The two places of a journal are two types, so that whoever opens one cannot forget the other."""
    assert config_of(tmp_path, 'environment: test\njournal: "memory:"\n').journal == MemoryPlace()


def test_an_address_is_written_as_it_is_read() -> None:
    """An IPv6 address gets its brackets back."""
    assert str(Address(host="::1", port=8700)) == "[::1]:8700"
    assert str(Address(host="localhost", port=0)) == "localhost:0"


def test_the_policy_says_what_the_file_says() -> None:
    """The fold judges by exactly the keys of the file; its hash is the same on every machine."""
    expected = Policy(
        environment="production",
        flag="payment-refresh",
        stage=Stage.DELIVERED,
        contexts=("bookings",),
        on_time_within_ms=2_000,
        missed_after_ms=30_000,
        reliability_ppm=990_000,
        false_promotion_risk_ppm=10_000,
        unacceptable_reliability_ppm=950_000,
        false_alarm_once_in=100_000,
        coverage_ppm=950_000,
        coverage_floor_ppm=800_000,
        reach_ppm=970_000,
        reach_not_required=None,
        lease_ms=30_000,
        cooldown_ms=3_600_000,
        resume_after_ms=180_000,
        dry_run=False,
        ladder=(
            Rung(mode=Mode.TIMER_POLLING, soak_ms=72 * 3_600_000),
            Rung(mode=Mode.PUSH_WITH_SAFETY_NET, share_ppm=100_000, soak_ms=24 * 3_600_000),
            Rung(mode=Mode.PUSH_WITH_SAFETY_NET, soak_ms=48 * 3_600_000),
            Rung(mode=Mode.PUSH_ONLY, approval_required=True),
        ),
    )
    assert policy_of(read_config(SHIPPED)) == expected
    assert policy_hash(policy_of(read_config(SHIPPED))) == policy_hash(expected)


def test_a_default_that_is_written_out_is_the_same_policy_as_one_that_is_left_out(tmp_path: Path) -> None:
    """The hash tells policies apart, not ways of writing one, and a policy keeps its hash in the journal."""
    written_out = policy_of(read_config(SHIPPED))
    left_out = policy_of(config_of(tmp_path, "environment: production\n"))
    journalled = msgspec.json.decode(msgspec.json.encode(written_out), type=Policy)
    assert policy_hash(written_out) == policy_hash(left_out) == policy_hash(journalled)


def test_a_waived_reach_carries_its_reason_into_the_policy() -> None:
    """What nobody asks for has a reason, which every report repeats."""
    waived = PolicyKeys(reach=ReachWaived(not_required="no browser reports yet"))
    assert policy_of(Config(environment="test", policy=waived)).reach_not_required == "no browser reports yet"
    asked = PolicyKeys(reach=980_000)
    assert policy_of(Config(environment="test", policy=asked)).reach_ppm == 980_000


@given(st.integers(min_value=0, max_value=10**11))
def test_a_duration_is_read_as_it_is_written(duration_ms: int) -> None:
    """Durations are whole milliseconds all the way, so that nothing is rounded."""
    assert milliseconds(duration_text(duration_ms)) == duration_ms


@given(st.integers(min_value=0, max_value=PPM))
def test_a_rate_is_read_as_it_is_written(rate_ppm: int) -> None:
    """Rates are exact: four decimals of a percentage are one part per million, and no binary fraction is in between."""
    assert parts_per_million(rate_text(rate_ppm)) == rate_ppm


KINDS: tuple[Kind, ...] = (
    Duration(at_least="2s", at_most="10m", usual="30s"),
    Duration(at_least="0s", at_most="90d", usual="48h"),
    Rate(at_least="50%", at_most="99.9999%"),
    Rate(at_least="0.0001%", at_most="20%"),
    Whole(at_least=100, at_most=10_000_000),
    Boolean(),
    Choice(words={mode.value: mode for mode in Mode}),
    Text(pattern=r"[a-z0-9._-]{1,64}", allowed="a flag", is_free=True),
    AddressText(),
    JournalText(),
)

LIKELY = st.one_of(
    st.text(max_size=20),
    st.from_regex(
        r"[0-9]{1,6}(\.[0-9]{1,5})?[ ,]?(ms|s|sec|min|h|d|w|%| percent)?( ?[0-9]{1,3}(m|s))?", fullmatch=True
    ),
    st.from_regex(r"(http://)?\[?[a-z0-9:.]{1,12}\]?:[0-9]{1,6}/?", fullmatch=True),
    st.from_regex(r"(sqlite3?|file)?:?/{0,4}[a-z:/?.]{0,12}(\.db)?", fullmatch=True),
    st.sampled_from([*Mode, "yes", "No", "TRUE", "push-only", "timers", "1e5", "1_000"]),
)


@given(st.sampled_from(KINDS), LIKELY, st.sampled_from(Guess))
def test_whoever_takes_a_suggestion_is_done(kind: Kind, text: str, guess: Guess) -> None:
    """A suggestion is right YAML, and right: nobody is sent from one mistake to the next."""
    try:
        kind.read(Scalar(text=text, guess=guess))
    except Refused as refused:
        if refused.suggestion is not None:
            written = yaml.compose(refused.suggestion, Loader=yaml.SafeLoader)
            assert isinstance(written, yaml.ScalarNode)
            number_or_word = Guess.NUMBER if isinstance(kind, Whole) else Guess.BOOLEAN
            understood = number_or_word if isinstance(kind, Whole | Boolean) else Guess.STRING
            kind.read(Scalar(text=written.value, guess=understood))


@settings(deadline=None)
@given(st.data())
def test_whatever_is_in_the_file_the_answer_is_a_configuration_or_one_line_per_problem(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """No file leads to a traceback, or to a message that could be taken for two."""
    shipped = SHIPPED.read_text()
    start = data.draw(st.integers(min_value=0, max_value=len(shipped)))
    length = data.draw(st.integers(min_value=0, max_value=40))
    inserted = data.draw(st.one_of(st.text(max_size=8), st.text(alphabet="[]{}:,-&*!|>'\"%@`#? \n\t\\", max_size=8)))
    text = f"{shipped[:start]}{inserted}{shipped[start + length :]}"
    path = tmp_path_factory.getbasetemp() / "mutated.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    answers: list[Config | ConfigInvalid] = []
    try:
        answers.append(read_config(path))
    except ConfigInvalid as invalid:
        answers.append(invalid)
    (answer,) = answers
    if isinstance(answer, ConfigInvalid):
        lines = answer.message.splitlines()
        assert len(lines) == len(answer.problems) > 0
        assert all(line.isprintable() for line in lines)


@settings(deadline=None)
@given(st.binary(max_size=100))
@example(b"%YAML 1." + b"9" * 5000)
@example(b'a: "\\uD800"')
@example(b"[" * 60_000)
@example(b"{" * 60_000)
@example(b"? " * 30_000)
def test_bytes_that_are_no_configuration_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Not even YAML that was made to break its reader breaks ours."""
    path = tmp_path_factory.getbasetemp() / "arbitrary.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid):
        read_config(path)
