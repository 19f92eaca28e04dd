"""`python -m tests.payers [KEY …]` plays the scenarios and prints the table of what payers got."""

import asyncio
import sys

from tests.payers.playing import play
from tests.payers.scenarios import SCENARIOS
from tests.payers.table import table

if __name__ == "__main__":
    wanted = [scenario for scenario in SCENARIOS if scenario.key in sys.argv[1:] or len(sys.argv) == 1]
    results = {result.key: result for result in asyncio.run(play(wanted))}
    sys.stdout.write(table(wanted, results) + "\n")
    sys.exit(any(result.failure for result in results.values()))
