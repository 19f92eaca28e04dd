"""What happens, and what must fire then, by the same themes as the rules."""

from tests.rules.cases import delivery, reverb, upkeep

CASES = (*delivery.CASES, *reverb.CASES, *upkeep.CASES)
