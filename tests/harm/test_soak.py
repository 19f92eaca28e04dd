"""A small soak in every run; `make soak` takes the full one."""

from tests.harm.soak import leaks, soak


async def test_auth_probes_and_frames_leak_nothing() -> None:
    """Auth probes and frames leak no descriptor, task or memory."""
    before, after, _ = await soak(300, 20_000)
    assert leaks(before, after) == [], (before, after)
