"""Causes of failed round trips: a canary takes the path of Laravel's broadcasts, through Reverb's HTTP API."""

from sidecar.causes.cause import Cause
from sidecar.core.facts.auth_probes import RoundTripOutcome as R

_SAME = "Laravel: REVERB_HOST, REVERB_PORT and REVERB_SCHEME are Laravel's address of Reverb; the sidecar's is reverb.api_url"

ROUND_TRIPS: dict[R, Cause] = {
    R.LOST: Cause(
        exit_code=80,
        sentence="Reverb's API accepted an event with 200, but it did not arrive over the socket.",
        reasons=(
            "With scaling on, Reverb answers 200 while its Redis is down",
            "Several nodes without scaling: the API call and the socket reached different nodes",
            "Another Reverb accepts the events: two applications or environments share one host name",
        ),
        changes=(
            "Laravel: REVERB_SCALING_ENABLED=true on every node, with one Redis and one REVERB_SCALING_CHANNEL",
            "Redis: PUBSUB NUMSUB reverb must return the number of nodes",
        ),
    ),
    R.DEAF_NODE: Cause(
        exit_code=81,
        sentence="An event arrived on some sockets only: a node does not receive from the others.",
        reasons=("Scaling is off on one node, or it uses another Redis", "One node lost Redis and has not exited yet"),
        changes=(
            "Laravel: the same REVERB_SCALING_* and REDIS_* on every node; restart the deaf node",
            "Redis: PUBSUB NUMSUB reverb must return the number of nodes",
        ),
    ),
    R.SOCKETS_DOWN: Cause(
        exit_code=82,
        sentence="No socket was open to receive the event.",
        reasons=("Reverb refused a second connection, or stopped meanwhile",),
        changes=("Run sidecar doctor again",),
    ),
    R.API_UNREACHABLE: Cause(
        exit_code=83,
        sentence="Reverb's HTTP API is unreachable, but its WebSocket is reachable.",
        reasons=("The proxy forwards /app and not /apps", "reverb.api_url is wrong, or valid only in another network"),
        changes=("Proxy: location /apps to Reverb as well", _SAME),
    ),
    R.API_TIMEOUT: Cause(
        exit_code=84,
        sentence="Reverb's HTTP API did not answer within 2 s.",
        reasons=("Reverb's event loop is blocked", "Another client is subscribed to Reverb's Redis channel"),
        changes=("Laravel: do not block in listeners of Reverb's events", "Redis: find other subscribers of `reverb`"),
    ),
    R.API_SIGNATURE_401: Cause(
        exit_code=85,
        sentence="Reverb's HTTP API does not accept the sidecar's signature (401). Laravel's broadcasts fail too if it uses this secret.",
        reasons=(
            "REVERB_APP_SECRET here is not Reverb's, or Reverb still runs with an older one",
            "A proxy drops the query string (proxy_pass with a path and without $is_args$args)",
        ),
        changes=(
            "Here and in Laravel: the same REVERB_APP_SECRET; php artisan reverb:restart",
            "Proxy: write proxy_pass http://reverb:8080; without a path",
        ),
    ),
    R.API_APP_UNKNOWN_404: Cause(
        exit_code=86,
        sentence="Reverb's HTTP API has no such application, or another server answers (404).",
        reasons=("reverb.app_id is not REVERB_APP_ID", "The proxy forwards /app and not /apps"),
        changes=("Sidecar config: reverb.app_id must be REVERB_APP_ID", "Proxy: location /apps to Reverb as well"),
    ),
    R.API_STATUS: Cause(
        exit_code=87,
        sentence="Reverb's HTTP API answered with an unexpected status.",
        reasons=(
            "403: a firewall in front of /apps (Cloudflare's Bot Fight Mode blocks Laravel too)",
            "301 or 405: http to https turns POST into GET (REVERB_SCHEME)",
            "502 or 503: the proxy does not reach Reverb",
        ),
        changes=("Cloudflare: add a rule that skips challenges for /apps", _SAME),
    ),
}
"""`ok` has no row here: it is in `NETWORK`."""
