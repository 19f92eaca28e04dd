"""A Reverb and a booking app to try the set-up with: `python -m sidecar.demo.standin --help` (docs/tutorial.md)."""

import argparse
import asyncio
import os
import sys

import aiohttp

from sidecar.demo.standin.backend import Backend
from sidecar.demo.standin.reverb import Reverb
from sidecar.pusher.signing import App

SECRETS = ("REVERB_APP_SECRET", "STRIPE_APP_WEBHOOK_SECRET", "SIDECAR_ACK_TOKEN", "SIDECAR_PROBE_TOKEN")
PROBE_USER = "0"


async def run(options: argparse.Namespace) -> None:
    """Serve until cancelled."""
    secret, webhook_secret, ack_token, probe_token = (os.environ[name] for name in SECRETS)
    app = App(app_id=options.app_id, key=options.app_key, secret=secret)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        reverb = Reverb(app)
        backend = Backend(
            app,
            webhook_secret=webhook_secret,
            ack_token=ack_token,
            group=group,
            notify=lambda actor, what, payment: print(f"{actor}: {what} {payment or ''}", flush=True),  # noqa: T201
            origins=(options.origin,),
            users={probe_token: PROBE_USER},
        )
        backend.use(session)
        port = await reverb.start(options.reverb_port)
        backend.reverb_url, backend.acks_url = f"http://127.0.0.1:{port}", f"{options.sidecar}/acks"
        app_port = await backend.start(options.app_port)
        print(f"Reverb: ws://127.0.0.1:{port}  app: http://127.0.0.1:{app_port}", flush=True)  # noqa: T201
        await asyncio.get_running_loop().create_future()


def main() -> None:
    """Read the options, and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Run a stand-in for Reverb and one for the booking app, on loopback.")
    parser.add_argument("--reverb-port", type=int, default=8080)
    parser.add_argument("--app-port", type=int, default=8000)
    parser.add_argument("--sidecar", default="http://127.0.0.1:8700", help="the public listener, for acks")
    parser.add_argument("--app-id", default="501")
    parser.add_argument("--app-key", default="trial-key")
    parser.add_argument("--origin", default="http://localhost:3000", help="the origin of the page that connects")
    options = parser.parse_args()
    missing = [name for name in SECRETS if not os.environ.get(name)]
    if missing:
        sys.exit(f"set {', '.join(missing)}")
    try:
        asyncio.run(run(options))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
