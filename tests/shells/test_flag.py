"""`GET /flags/{key}`: the answer, and how long it may be believed."""

import itertools

import msgspec

from sidecar.config import LadderRung
from sidecar.core.facts.observations import Heartbeat, Record
from sidecar.core.facts.policy import Mode
from sidecar.flags.lease import Lease
from tests.e2e.processes import until
from tests.shells.running import CONFIG, Running, event, running
from tests.waiting import HANGS_AFTER_S

EASY = msgspec.structs.replace(
    CONFIG,
    objective=msgspec.structs.replace(CONFIG.objective, reliability_ppm=600_000),
    policy=msgspec.structs.replace(
        CONFIG.policy, false_promotion_risk_ppm=200_000, unacceptable_reliability_ppm=500_000, false_alarm_once_in=100
    ),
    ladder=(
        LadderRung(mode=Mode.TIMER_POLLING),
        LadderRung(mode=Mode.PUSH_WITH_SAFETY_NET, share_ppm=500_000, soak_ms=600_000),
        LadderRung(mode=Mode.PUSH_WITH_SAFETY_NET, approval_required=True),
    ),
)
"""60 % at 20 % risk: proven by five clean payments."""


_LOOKS_PER_SECOND = 20


async def _pay(sidecar: Running, number: int) -> None:
    """Make a clean payment come."""
    await sidecar.ack({"stage": "delivered", "payment_intent": f"pi_{number}"})
    await sidecar.deliver(event(f"pi_{number}"))


async def climb(sidecar: Running, *, within_s: float = HANGS_AFTER_S) -> None:
    """Make eight clean payments come, and wait until the first push rung is held. Again, it only waits.

    On a busy machine some are late: once a second another one makes up for them.
    """
    await sidecar.ack({"stage": "delivered", "payment_intent": "pi_before"})
    for number in range(8):
        await _pay(sidecar, number)
    more = itertools.count(8 * _LOOKS_PER_SECOND)

    async def is_climbed() -> bool:
        number, rest = divmod(next(more), _LOOKS_PER_SECOND)
        if rest == _LOOKS_PER_SECOND - 1:
            await _pay(sidecar, number)
        return bool((await sidecar.status())["rung"] == 1)

    await until(is_climbed, "the first push rung is held", within_s=within_s)


async def test_the_answer_is_section_7_of_the_design() -> None:
    """Names, types and headers are a contract with every frontend."""
    async with (
        running() as sidecar,
        sidecar.session.get(f"{sidecar.urls.public}/flags/payment-refresh?targeting_key=u1") as response,
    ):
        assert response.status == 200
        assert response.content_type == "application/json"
        assert await response.json() == {
            "flag": "payment-refresh",
            "mode": "timer_polling",
            "refetch_after_ms": [0, 2000, 5000],
            "safety_net_ms": None,
            "refetch_on_subscribe": True,
            "version": 1,
            "valid_for_s": 1.5,
            "reason": "bottom_rung",
            "environment": "test",
        }
        headers = response.headers
        assert headers["ETag"].startswith('"')
        assert headers["Cache-Control"] == "private, max-age=0, must-revalidate"
        assert int(headers["Reverb-Sidecar-Issued-At"]) > 1_700_000_000_000
        exposed = {name.strip() for name in headers["Access-Control-Expose-Headers"].split(",")}
        assert exposed == {"ETag", "Age", "Retry-After", "Reverb-Sidecar-Issued-At"}
        assert "Set-Cookie" not in headers
        assert "aiohttp" not in headers["Server"]


async def test_an_unchanged_answer_is_a_304_that_renews() -> None:
    """A 304 carries when it was issued, because only a newer stamp renews."""
    async with running() as sidecar:
        url = f"{sidecar.urls.public}/flags/payment-refresh"
        async with sidecar.session.get(url) as response:
            etag, issued = response.headers["ETag"], int(response.headers["Reverb-Sidecar-Issued-At"])
        for header in (etag, f'"other", W/{etag}', "*"):
            async with sidecar.session.get(url, headers={"If-None-Match": header}) as response:
                assert response.status == 304
                assert await response.read() == b""
                assert response.headers["ETag"] == etag
                assert int(response.headers["Reverb-Sidecar-Issued-At"]) >= issued
        async with sidecar.session.get(url, headers={"If-None-Match": '"other"'}) as response:
            assert response.status == 200


async def test_push_is_answered_to_its_share_and_to_nobody_unnamed() -> None:
    """Without a targeting key, and outside the share, the answer is timers; and each says why."""
    async with running(EASY) as sidecar:
        await climb(sidecar)
        answers = [await _answer(sidecar, f"?targeting_key=user-{number}") for number in range(200)]
        modes = {(answer["mode"], answer["reason"], answer["safety_net_ms"]) for answer in answers}
        assert modes == {("push_with_safety_net", "current_rung", 5000), ("timer_polling", "outside_share", None)}
        push = sum(answer["mode"] == "push_with_safety_net" for answer in answers)
        assert 70 < push < 130
        assert (await _answer(sidecar, ""))["reason"] == "no_targeting_key"
        assert (await _answer(sidecar, "?targeting_key="))["reason"] == "no_targeting_key"
        assert await sidecar.metric('reverb_sidecar_flag_mode{mode="push_with_safety_net"}') == 1


async def test_an_unknown_flag_is_a_404_with_a_message() -> None:
    """A misspelt flag must not look like timers."""
    async with running() as sidecar, sidecar.session.get(f"{sidecar.urls.public}/flags/payment-refesh") as response:
        assert (response.status, (await response.json())["code"]) == (404, "flag_unknown")
        assert response.headers["Access-Control-Allow-Origin"] == "*", "else a browser could not read why"


async def test_a_browser_may_ask_from_anywhere() -> None:
    """The preflight of a request with `If-None-Match` is answered."""
    async with running() as sidecar:
        url = f"{sidecar.urls.public}/flags/payment-refresh"
        headers = {"Origin": "https://app.example.test", "Access-Control-Request-Method": "GET"}
        async with sidecar.session.options(url, headers=headers) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "If-None-Match" in response.headers["Access-Control-Allow-Headers"]


async def test_dry_run_decides_and_answers_timers() -> None:
    """What would have been done is recorded; nobody gets push."""
    policy = msgspec.structs.replace(EASY.policy, dry_run=True)
    async with running(msgspec.structs.replace(EASY, policy=policy)) as sidecar:
        await climb(sidecar)
        answer = await _answer(sidecar, "?targeting_key=u1")
        assert (answer["mode"], answer["reason"]) == ("timer_polling", "dry_run")


def test_a_lease_runs_from_before_the_heartbeat_and_only_once_that_is_folded() -> None:
    """A replica that is behind, cut off or stuck has no lease, whatever it believes."""
    lease = Lease("a")
    assert lease.remaining_s(30, 100.0) <= 0
    heartbeat = lease.next_heartbeat(100.0)
    assert lease.remaining_s(30, 101.0) <= 0, "appended is not folded"
    lease.folded(Record(seq=1, at_ms=1, observation=Heartbeat(replica="b", beat=heartbeat.beat)))
    assert lease.remaining_s(30, 101.0) <= 0, "another replica's heartbeat proves nothing"
    lease.folded(Record(seq=2, at_ms=1, observation=heartbeat))
    assert lease.remaining_s(30, 129.999) > 0
    assert lease.remaining_s(30, 130.0) <= 0


def test_a_revoked_lease_stays_revoked() -> None:
    """A process that stops following its journal, and still answers for a moment, must not answer push."""
    lease = Lease("a")
    heartbeat = lease.next_heartbeat(100.0)
    lease.revoke()
    lease.folded(Record(seq=1, at_ms=1, observation=heartbeat))
    assert lease.remaining_s(30, 100.0) <= 0


def test_a_late_fold_of_an_old_heartbeat_gives_only_what_is_left_of_it() -> None:
    """A frozen process that wakes up must not begin a full lease."""
    lease = Lease("a")
    heartbeat = lease.next_heartbeat(100.0)
    lease.folded(Record(seq=1, at_ms=1, observation=heartbeat))
    lease.folded(Record(seq=2, at_ms=1, observation=heartbeat))
    assert lease.remaining_s(30, 125.0) == 5


async def _answer(sidecar: Running, query: str) -> dict[str, object]:
    async with sidecar.session.get(f"{sidecar.urls.public}/flags/payment-refresh{query}") as response:
        answer: dict[str, object] = await response.json()
        return answer
