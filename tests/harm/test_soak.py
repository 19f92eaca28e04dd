"""A small soak in every run; `make soak` takes the full one."""

from tests.harm.soak import leaks, soak


async def test_auth_probes_and_frames_leak_nothing() -> None:
    """A probe that runs every minute for a year must not be what ends the sidecar."""
    before, after, _ = await soak(300, 20_000)
    assert leaks(before, after) == [], (before, after)
