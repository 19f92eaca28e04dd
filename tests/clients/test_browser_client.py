"""The browser client's own tests, run by Node.js as its README says."""

import asyncio
import re
from pathlib import Path

CLIENT = Path(__file__).parents[2] / "clients" / "browser"


async def test_the_browser_client_keeps_its_rules_its_types_and_its_size() -> None:
    """`npm test` in its folder; `make test` has installed what it needs from its lock file."""
    child = await asyncio.create_subprocess_exec(
        "npm", "test", cwd=CLIENT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await child.communicate()
    said = out.decode()
    assert child.returncode == 0, said[-8000:]
    counted = {
        name: int(count) for name, count in re.findall(r"^\S+ (pass|fail|skipped|todo) (\d+)$", said, re.MULTILINE)
    }
    assert counted["pass"] > 50, said[-8000:]
    assert (counted["fail"], counted["skipped"], counted["todo"]) == (0, 0, 0)
