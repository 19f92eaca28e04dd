"""How hard Hypothesis tries: the same modest examples every time, or many new ones with `HYPOTHESIS_PROFILE=long`."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "short", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "long", max_examples=3000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
