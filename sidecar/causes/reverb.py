"""Causes of failures at Reverb and its proxy: the upgrade, the first message, and the subscription."""

from sidecar.causes.cause import Cause
from sidecar.core.facts.auth_probes import AuthProbeOutcome as W

_RESTART = "then: php artisan config:clear && php artisan reverb:restart (a process manager must start it again)"

REVERB: dict[W, Cause] = {
    W.UPGRADE_STRIPPED: Cause(
        exit_code=30,
        sentence="A proxy dropped the Upgrade header: Reverb answers 500 to a plain GET of /app/{key}.",
        reasons=(
            "The proxy uses HTTP/1.0 to Reverb, or does not forward Upgrade and Connection",
            "WebSockets are off in Cloudflare",
        ),
        changes=(
            "nginx, in the location of /app: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
            'proxy_set_header Connection "Upgrade";',
            "Apache: ProxyPass /app ws://127.0.0.1:8080/app, with mod_proxy_wstunnel",
            "Cloudflare: Network, WebSockets: on",
        ),
    ),
    W.CLOSED_WITHOUT_FRAME: Cause(
        exit_code=31,
        sentence="The connection ended without an error or a Close frame, which Reverb does not send when it closes one itself.",
        reasons=(
            "Reverb is being restarted or was killed",
            "A proxy's idle timeout (60 s in nginx)",
            "rate_limiting.terminate_on_limit closed it",
        ),
        changes=(
            "Proxy: proxy_read_timeout 3600s; in the location of /app",
            "Server: read Reverb's log: was it restarted by Supervisor, by a deploy, or for lack of memory?",
        ),
    ),
    W.NOT_PUSHER: Cause(
        exit_code=32,
        sentence="The server accepts WebSockets, but does not use the Pusher protocol.",
        reasons=("Another server (Socket.IO, Mercure, a dev server's hot reload) listens on this port or path",),
        changes=("Sidecar config: reverb.url", "Proxy: route /app to Reverb"),
    ),
    W.ERROR_4001: Cause(
        exit_code=33,
        sentence="Reverb has no application with this key (4001).",
        reasons=(
            "VITE_REVERB_APP_KEY was built into the frontend with an older key, or the sidecar's app_key is not REVERB_APP_KEY",
            "Reverb runs with an older configuration: it reads .env only at start, and prefers the cached config",
        ),
        changes=(
            "Sidecar config: reverb.app_key must be REVERB_APP_KEY",
            f"Laravel: the same REVERB_APP_KEY for the web, the queue and Reverb; {_RESTART}",
            "Frontend: rebuild it after changing VITE_REVERB_APP_KEY",
        ),
    ),
    W.ERROR_4004: Cause(
        exit_code=34,
        sentence="Reverb has reached its maximum of connections (4004).",
        reasons=("REVERB_APP_MAX_CONNECTIONS is reached on this node", "Tabs stay open for days"),
        changes=(
            f"Laravel: raise or remove REVERB_APP_MAX_CONNECTIONS; {_RESTART}",
            "Server: add a node, with scaling on",
        ),
    ),
    W.ERROR_4009_ORIGIN: Cause(
        exit_code=35,
        sentence="Reverb does not allow this origin (4009 Origin not allowed).",
        reasons=(
            "allowed_origins in config/reverb.php has a scheme or a port: https://app.example.test never matches",
            "A subdomain is missing: app.example.test does not match www.app.example.test",
            "reverb.origin in the sidecar's config is not the page's",
        ),
        changes=(
            "Laravel, config/reverb.php: 'allowed_origins' => ['app.example.test', '*.example.test'], hosts only",
            f"Laravel: {_RESTART}",
            "Sidecar config: reverb.origin must be the origin of the page that connects",
        ),
    ),
    W.ERROR_4009_UNAUTHORISED: Cause(
        exit_code=36,
        sentence="The auth endpoint authorised the channel, but Reverb refused the subscription (4009): a browser shows no error.",
        reasons=(
            "REVERB_APP_SECRET differs between the app that signs and Reverb, which verifies",
            "Reverb still runs with the old secret",
            "A custom authorizer requests another channel or socket than the one that subscribes",
        ),
        changes=(
            f"Laravel: the same REVERB_APP_SECRET for the web and for Reverb; {_RESTART}",
            "Here: set REVERB_APP_SECRET, and the auth probe names the part of the signature that is wrong",
        ),
    ),
    W.ERROR_4200: Cause(
        exit_code=37,
        sentence="Reverb could not parse a message (4200 Invalid message format).",
        reasons=(
            "A presence channel whose callback returned no user_info, or channel_data that is not a JSON string",
            "A proxy or a custom authorizer changes the auth endpoint's response",
        ),
        changes=("Laravel, routes/channels.php: return an array from the callback of a presence channel",),
    ),
    W.ERROR_4201: Cause(
        exit_code=38,
        sentence="Reverb closed the connection because a ping was not answered (4201).",
        reasons=(
            "A proxy between the sidecar and Reverb buffers frames",
            "Reverb's clock jumped, or its machine was suspended",
        ),
        changes=(
            "Proxy: no buffering for /app (proxy_buffering off)",
            "Server: check whether the machine was suspended",
        ),
    ),
    W.ERROR_4301: Cause(
        exit_code=39,
        sentence="The connection exceeded Reverb's message rate limit (4301).",
        reasons=(
            "REVERB_APP_RATE_LIMITING_ENABLED with a low REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS",
            "Client events are off",
        ),
        changes=(f"Laravel: raise REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS (subscriptions and pings count too); {_RESTART}",),
    ),
    W.ERROR_OTHER: Cause(
        exit_code=40,
        sentence="The server answered with an error code that Reverb does not use.",
        reasons=("Another server with the Pusher protocol answers: soketi, Pusher itself, laravel-websockets",),
        changes=("Sidecar config: reverb.url", "Proxy: check which server listens on the port of /app"),
    ),
    W.TIMEOUT_ESTABLISH: Cause(
        exit_code=74,
        sentence="The upgrade succeeded, but Reverb's first message did not arrive in time.",
        reasons=("A proxy answered the upgrade and does not reach Reverb", "Reverb's event loop is blocked"),
        changes=("Server: curl http://REVERB_HOST:REVERB_PORT/up, past the proxy", "Proxy: no buffering for /app"),
    ),
    W.TIMEOUT_SUBSCRIBE: Cause(
        exit_code=79,
        sentence="Reverb did not answer the subscription in time.",
        reasons=("Reverb's event loop is blocked", "With scaling on and Redis down, some responses are never sent"),
        changes=("Server: check Reverb's load and Redis", "Laravel: do not block in listeners of Reverb's events"),
    ),
}
