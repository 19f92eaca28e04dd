"""Reverb, and what stands before it: the upgrade, the first message, and the subscription."""

from sidecar.causes.cause import Cause
from sidecar.core.facts.auth_probes import AuthProbeOutcome as W

_RESTART = "then: php artisan config:clear && php artisan reverb:restart (it does not start again by itself)"

REVERB: dict[W, Cause] = {
    W.UPGRADE_STRIPPED: Cause(
        exit_code=30,
        sentence="A proxy dropped the Upgrade header: Reverb answers 500 to a plain GET of /app/{key}.",
        reasons=(
            "The proxy speaks HTTP/1.0 to Reverb, or passes Upgrade and Connection not on",
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
        sentence="The connection ended without a word: Reverb never sends a Close frame when it ends one itself.",
        reasons=(
            "Reverb is being restarted or was killed",
            "A proxy's idle timeout (60 s in nginx)",
            "rate_limiting.terminate_on_limit ended it",
        ),
        changes=(
            "Proxy: proxy_read_timeout 3600s; in the location of /app",
            "Server: do the restarts come from Supervisor, from a deploy, or from memory? See its log",
        ),
    ),
    W.NOT_PUSHER: Cause(
        exit_code=32,
        sentence="A WebSocket answers there that does not speak the Pusher protocol.",
        reasons=("Another server (Socket.IO, Mercure, a dev server's hot reload) listens on this port or path",),
        changes=("Our config: reverb.url", "Proxy: route /app to Reverb"),
    ),
    W.ERROR_4001: Cause(
        exit_code=33,
        sentence="Reverb does not know this application key (4001).",
        reasons=(
            "VITE_REVERB_APP_KEY was baked into the frontend with an older key, or the sidecar's app_key is not REVERB_APP_KEY",
            "Reverb runs with an older configuration: it reads .env only when it starts, and the cached config first",
        ),
        changes=(
            "Our config: reverb.app_key must be REVERB_APP_KEY",
            f"Laravel: the same REVERB_APP_KEY for the web, the queue and Reverb; {_RESTART}",
            "Frontend: build it anew after changing VITE_REVERB_APP_KEY",
        ),
    ),
    W.ERROR_4004: Cause(
        exit_code=34,
        sentence="Reverb has as many connections as it may (4004).",
        reasons=("REVERB_APP_MAX_CONNECTIONS is reached on this node", "Tabs that are open for days"),
        changes=(
            f"Laravel: raise or remove REVERB_APP_MAX_CONNECTIONS; {_RESTART}",
            "Server: another node, with scaling",
        ),
    ),
    W.ERROR_4009_ORIGIN: Cause(
        exit_code=35,
        sentence="Reverb does not allow this origin (4009 Origin not allowed).",
        reasons=(
            "allowed_origins in config/reverb.php has a scheme or a port: https://app.example.test never matches",
            "A subdomain is missing: app.example.test does not stand for www.app.example.test",
            "reverb.origin here is not that of the page",
        ),
        changes=(
            "Laravel, config/reverb.php: 'allowed_origins' => ['app.example.test', '*.example.test'], hosts only",
            f"Laravel: {_RESTART}",
            "Our config: reverb.origin must be the origin of the page that connects",
        ),
    ),
    W.ERROR_4009_UNAUTHORISED: Cause(
        exit_code=36,
        sentence="The auth endpoint authorised it, and Reverb refused the subscription (4009): in a browser this is silent.",
        reasons=(
            "REVERB_APP_SECRET differs between the app that signs and Reverb, which verifies",
            "Reverb still runs with the old secret",
            "A custom authorizer asks for another channel or another socket than it subscribes",
        ),
        changes=(
            f"Laravel: the same REVERB_APP_SECRET for the web and for Reverb; {_RESTART}",
            "Here: set REVERB_APP_SECRET, and this auth probe will say which part of the signature is wrong",
        ),
    ),
    W.ERROR_4200: Cause(
        exit_code=37,
        sentence="Reverb could not make sense of a message (4200 Invalid message format).",
        reasons=(
            "A presence channel whose callback returned no user_info, or channel_data that is not a JSON string",
            "A proxy or a custom authorizer changes the answer of the auth endpoint",
        ),
        changes=("Laravel, routes/channels.php: let the callback return an array for presence channels",),
    ),
    W.ERROR_4201: Cause(
        exit_code=38,
        sentence="Reverb gave the connection up because a ping was not answered (4201).",
        reasons=(
            "Something between here and Reverb holds frames back",
            "Reverb's clock jumped, or its machine was suspended",
        ),
        changes=("Proxy: no buffering for /app (proxy_buffering off)", "Server: look for a suspended machine"),
    ),
    W.ERROR_4301: Cause(
        exit_code=39,
        sentence="Reverb limits how much this connection may say (4301).",
        reasons=(
            "REVERB_APP_RATE_LIMITING_ENABLED with a low REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS",
            "Client events are off",
        ),
        changes=(f"Laravel: raise REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS (subscriptions and pings count too); {_RESTART}",),
    ),
    W.ERROR_OTHER: Cause(
        exit_code=40,
        sentence="The server answered with an error that Reverb does not have.",
        reasons=("Another server of the Pusher protocol answers: soketi, Pusher itself, laravel-websockets",),
        changes=("Our config: reverb.url", "Proxy: what listens on the port that /app is routed to"),
    ),
    W.TIMEOUT_ESTABLISH: Cause(
        exit_code=74,
        sentence="The upgrade succeeded, and Reverb's first message did not come in time.",
        reasons=("A proxy answered the upgrade and does not reach Reverb", "Reverb's event loop stands still"),
        changes=("Server: curl http://REVERB_HOST:REVERB_PORT/up, past the proxy", "Proxy: no buffering for /app"),
    ),
    W.TIMEOUT_SUBSCRIBE: Cause(
        exit_code=79,
        sentence="Reverb did not answer the subscription in time.",
        reasons=("Its event loop stands still", "With scaling on and Redis away some answers never come"),
        changes=("Server: Reverb's load and Redis", "Laravel: no waiting in listeners of Reverb's events"),
    ),
}
