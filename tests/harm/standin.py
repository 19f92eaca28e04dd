"""A Reverb in a separate process that can be killed and frozen: `python -m tests.harm.standin PORT`."""

import asyncio
import sys

from sidecar.demo.standin.reverb import Reverb
from tests.probes.world import APP


async def main(port: int) -> None:
    """Serve until killed."""
    await Reverb(APP).start(port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
