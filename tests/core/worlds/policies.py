"""The policies of the worlds: the default one, and two for months that have nothing to do with Reverb."""

import msgspec

from sidecar.core.facts.policy import Mode, ReverbPolicy, Rung
from tests.core.world import HOUR, MINUTE, POLICY, REVERB

LADDER = (
    Rung(mode=Mode.TIMER_POLLING, soak_ms=72 * HOUR),
    Rung(mode=Mode.PUSH_WITH_SAFETY_NET, share_ppm=100_000, soak_ms=24 * HOUR),
    Rung(mode=Mode.PUSH_WITH_SAFETY_NET, soak_ms=48 * HOUR),
    Rung(mode=Mode.PUSH_ONLY, approval_required=True),
)
REAL = msgspec.structs.replace(POLICY, ladder=LADDER, reverb=REVERB)
"""The default policy, with Reverb probed at the default intervals."""
COARSE = msgspec.structs.replace(
    REAL,
    lease_ms=10 * MINUTE,
    reverb=ReverbPolicy(round_trip_every_ms=1 * MINUTE, auth_every_ms=10 * MINUTE, is_observing=True),
)
ALONE = msgspec.structs.replace(COARSE, reverb=None)
"""Without probes: only payments are judged."""
