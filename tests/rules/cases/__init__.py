"""Cases and the alerts that must fire, in the same files as the rules."""

from tests.rules.cases import delivery, reverb, upkeep

CASES = (*delivery.CASES, *reverb.CASES, *upkeep.CASES)
