"""`sidecar gate`: exit codes and reasons, with a real listener and a real process."""

import msgspec
import pytest

from sidecar.core.fold.history import Condition
from sidecar.core.fold.serving import Reason
from sidecar.core.release.readiness import Readiness
from tests.core.world import DAY, HOUR, MINUTE
from tests.e2e.processes import READ_TOKEN, free_port
from tests.release.asked import listening, sidecar
from tests.release.prepared import Past
from tests.shells.running import running

STAGING_TOKEN = "a-token-of-staging-0123456789abcdef"


def gate(url: str, *words: str, environment: str = "test") -> list[str]:
    """Return the command for this address."""
    return ["gate", "--url", url, "--environment", environment, *words]


async def test_yes_is_exit_code_0_and_one_line() -> None:
    """A read token suffices; where reading is open none is needed."""
    async with listening(Past()) as url:
        reported = await sidecar(gate(url), SIDECAR_TOKEN=READ_TOKEN)
        assert (reported.code, reported.out, reported.err) == (
            0,
            "Yes: push_only for everybody in test, the last 14 d\n",
            "",
        )
        assert (await sidecar(gate(url))).code == 0


async def test_not_yet_is_exit_code_1_with_reasons_and_the_earliest_time() -> None:
    """The log of the pipeline has everything that is needed."""
    past = Past(served_ms=14 * DAY - HOUR)
    past.fall(3 * DAY)
    async with listening(past) as url:
        reported = await sidecar(gate(url))
    lines = reported.out.splitlines()
    assert reported.code == 1
    assert lines[0] == "Not yet: push_only for everybody in test, the last 14 d"
    assert lines[1].startswith(
        "  ✗ everybody could be served push_only for 99.70 % of 14 d outside suspensions; 99.9 %"
    )
    assert lines[1].endswith("(in 39 min 51 s)")
    assert lines[2].startswith("  ✗ it fell once, last 3 d ago; not before ")
    assert lines[3].startswith("The answer can be yes at the earliest at ")
    assert lines[3].endswith("(in 11 d 1 s).")
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("is_livemode", "reason", "environment", "token", "words"),
    [
        (False, Reason.CURRENT_RUNG, "test", "", "it judges Stripe's test payments (`stripe.livemode: false`)"),
        (True, Reason.NO_LEASE, "test", "", "has not lately proven that it can write and read its journal"),
        (
            True,
            Reason.CURRENT_RUNG,
            "production",
            "",
            "this is the sidecar of `test`, and `production` was asked about",
        ),
        (True, Reason.CURRENT_RUNG, "test", STAGING_TOKEN, "the token is not in SIDECAR_OPERATOR_TOKENS"),
    ],
)
async def test_what_cannot_be_known_is_exit_code_2(
    *, is_livemode: bool, reason: Reason, environment: str, token: str, words: str
) -> None:
    """Test payments, a replica without a lease, another environment's sidecar or token."""
    async with listening(Past(), is_livemode=is_livemode, reason=reason) as url:
        reported = await sidecar(gate(url, environment=environment), SIDECAR_TOKEN=token)
    assert reported.code == 2
    assert "Cannot know" in reported.out + reported.err
    assert words in reported.out + reported.err


async def test_a_sidecar_that_is_down_is_exit_code_2() -> None:
    """Neither 0 nor 1: there is no verdict."""
    reported = await sidecar(gate(f"http://127.0.0.1:{free_port()}", "--json", "--github"))
    assert reported.code == 2
    assert msgspec.json.decode(reported.out)["answer"] == "cannot_know"
    assert reported.err.startswith("::error title=sidecar gate::no sidecar answers at http://127.0.0.1:")


@pytest.mark.parametrize("words", [["--for", "two weeks"], ["--mode", "timer_polling"], ["--for", "500d"]])
async def test_an_invalid_question_is_exit_code_2(words: list[str]) -> None:
    """A pipeline with a mistake must not pass."""
    async with listening(Past()) as url:
        assert (await sidecar(gate(url, *words))).code == 2


async def test_an_address_without_an_environment_is_refused() -> None:
    """It might be that of staging."""
    reported = await sidecar(["gate", "--url", "http://127.0.0.1:1"])
    assert (reported.code, "--environment" in reported.err) == (2, True)


async def test_an_address_with_a_password_in_it_is_refused_and_not_repeated() -> None:
    """The password would be in the log of the pipeline."""
    reported = await sidecar(gate("http://ann:s3cret@127.0.0.1:1"))
    assert (reported.code, "SIDECAR_TOKEN" in reported.err, "s3cret" in reported.out + reported.err) == (2, True, False)


async def test_an_unknown_parameter_is_refused() -> None:
    """`max_suspension=9` would otherwise be ignored."""
    async with listening(Past()) as url, running() as it, it.session.get(f"{url}/api/gate?max_suspension=9") as answer:
        assert (answer.status, "unknown parameter `max_suspension`" in await answer.text()) == (400, True)
        for other in ("min_payments=-1", "for=14d&for=1d"):
            async with it.session.get(f"{url}/api/gate?{other}") as refused:
                assert refused.status == 400


async def test_the_question_can_be_changed() -> None:
    """Each option reaches the verdict."""
    past = Past()
    for number in range(5):
        past.interrupt((number + 1) * 2 * DAY, HOUR, Condition.REVERB_UNSTABLE)
    past.release(1 * DAY, "2026.48", 7)
    async with listening(past) as url:
        assert (await sidecar(gate(url))).code == 1
        reported = await sidecar(
            gate(
                url,
                "--for",
                "1d",
                "--max-suspensions",
                "5",
                "--on-release",
                "7",
                "--min-payments",
                "9",
                "--json",
            )
        )
        found = msgspec.json.decode(reported.out, type=Readiness)
        assert (reported.code, found.question.for_ms, found.question.suspensions_max) == (0, DAY, 5)
        assert (found.question.on_release, found.question.payments_min) == (7, 9)


async def test_github_gets_an_annotation_for_each_reason() -> None:
    """Texts of operators are escaped."""
    past = Past()
    past.release(1 * DAY, "a%0A\n::set-output name=x::y", 3)
    async with listening(past) as url:
        reported = await sidecar(gate(url, "--on-release", "20"), GITHUB_ACTIONS="true")
    commands = [line for line in reported.out.splitlines() if line.startswith("::")]
    assert reported.code == 1
    assert len(commands) == 1
    assert "since release a%250A ::set-output name=x::y; 20 are asked" in commands[0]


async def test_payments_since_the_release_are_shown_and_fail_only_if_asked() -> None:
    """The exit code of an app that is released every hour is 0; with `--on-release` it is that of the question."""
    past = Past()
    past.release(MINUTE, "web-9", 3)
    async with listening(past) as url:
        shown = await sidecar(gate(url))
        asked = await sidecar(gate(url, "--on-release", "4"))
        reached = await sidecar(gate(url, "--on-release", "3"))
    assert (shown.code, asked.code, reached.code) == (0, 1, 0)
    assert "  i since_release: 3 since web-9 (for information)" in shown.out
    assert "3 payments were judged since release web-9; 4 are asked" in asked.out
    async with listening(Past()) as url:
        unknown = await sidecar(gate(url, "--on-release", "1"))
        refused = await sidecar(gate(url, "--on-release", "-1"))
    assert (unknown.code, "no release is known" in unknown.out, refused.code) == (2, True, 2)


async def test_github_gets_a_notice_for_a_yes() -> None:
    """A step without output looks as if it had not run."""
    async with listening(Past()) as url:
        reported = await sidecar(gate(url, "--github", "--all"))
    assert reported.out.splitlines()[-1].startswith("::notice title=sidecar gate::Yes: push_only for everybody in test")
    assert "  ✓ payments: 13480 (target: at least 50)" in reported.out


async def test_a_running_sidecar_answers_the_gate() -> None:
    """Wired as in production; a young journal has no reports."""
    async with running() as it, it.session.get(f"{it.urls.operator}/api/gate") as answer:
        found = msgspec.json.decode(await answer.read(), type=Readiness)
        assert (answer.status, found.answer) == (200, "cannot_know")
        assert {"reports", "history", "served"} <= {check.name for check in found.against}
