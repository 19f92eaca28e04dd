"""A canary through Reverb's HTTP API and back: the path of Laravel's broadcasts."""

from sidecar.causes.cause import Cause
from sidecar.core.facts.auth_probes import RoundTripOutcome as R

_SAME = "Laravel: REVERB_HOST, REVERB_PORT and REVERB_SCHEME are where Laravel reaches Reverb; the sidecar's is reverb.api_url"

ROUND_TRIPS: dict[R, Cause] = {
    R.LOST: Cause(
        exit_code=80,
        sentence="Reverb's API took an event and answered 200, and it never came back over the socket.",
        reasons=(
            "With scaling on, Reverb answers 200 while its Redis is away",
            "Several nodes without scaling: the API's node is not the socket's",
            "Another Reverb takes the events: two applications or environments behind one name",
        ),
        changes=(
            "Laravel: REVERB_SCALING_ENABLED=true on every node, with one Redis and one REVERB_SCALING_CHANNEL",
            "Redis: PUBSUB NUMSUB reverb must say as many as there are nodes",
        ),
    ),
    R.DEAF_NODE: Cause(
        exit_code=81,
        sentence="An event came back on some sockets and not on others: a node does not receive from the others.",
        reasons=("Scaling is off on one node, or its Redis is another", "One node lost Redis and has not exited yet"),
        changes=(
            "Laravel: the same REVERB_SCALING_* and REDIS_* on every node; restart the one that is deaf",
            "Redis: PUBSUB NUMSUB reverb must say as many as there are nodes",
        ),
    ),
    R.SOCKETS_DOWN: Cause(
        exit_code=82,
        sentence="There was no socket for an event to come back on.",
        reasons=("Reverb refused a second connection, or went away meanwhile",),
        changes=("Ask again: sidecar doctor",),
    ),
    R.API_UNREACHABLE: Cause(
        exit_code=83,
        sentence="Reverb's HTTP API cannot be reached, though its WebSocket can.",
        reasons=("The proxy forwards /app and not /apps", "reverb.api_url is wrong, or valid only in another network"),
        changes=("Proxy: location /apps to Reverb as well", _SAME),
    ),
    R.API_TIMEOUT: Cause(
        exit_code=84,
        sentence="Reverb's HTTP API did not answer within 2 s.",
        reasons=("Reverb's event loop stands still", "Somebody else subscribed to Reverb's Redis channel"),
        changes=("Laravel: no waiting in listeners of Reverb's events", "Redis: who else subscribes to `reverb`?"),
    ),
    R.API_SIGNATURE_401: Cause(
        exit_code=85,
        sentence="Reverb's HTTP API does not accept the sidecar's signature (401): Laravel's broadcasts fail alike if it has this secret.",
        reasons=(
            "REVERB_APP_SECRET here is not Reverb's, or Reverb still runs with an older one",
            "A proxy lost the query string (proxy_pass with a path and without $is_args$args)",
        ),
        changes=(
            "Here and in Laravel: the same REVERB_APP_SECRET; php artisan reverb:restart",
            "Proxy: proxy_pass http://reverb:8080; without a path",
        ),
    ),
    R.API_APP_UNKNOWN_404: Cause(
        exit_code=86,
        sentence="Reverb's HTTP API does not know this application, or something else answers there (404).",
        reasons=("reverb.app_id is not REVERB_APP_ID", "The proxy forwards /app and not /apps"),
        changes=("Our config: reverb.app_id must be REVERB_APP_ID", "Proxy: location /apps to Reverb as well"),
    ),
    R.API_STATUS: Cause(
        exit_code=87,
        sentence="Reverb's HTTP API answered with a status that it does not have for this.",
        reasons=(
            "403: a firewall before /apps (Cloudflare's Bot Fight Mode stops Laravel too)",
            "301 or 405: http to https turns POST into GET (REVERB_SCHEME)",
            "502 or 503: the proxy does not reach Reverb",
        ),
        changes=("Cloudflare: a rule that skips challenges for /apps", _SAME),
    ),
}
"""`ok` has no row: it is that of the auth probe."""
