"""Causes of failures at the app: login, CORS, the auth endpoint and its signature."""

import msgspec

from sidecar.causes.cause import Cause
from sidecar.core.facts.auth_probes import AuthProbeOutcome as W

_CLEAR = "php artisan config:clear && php artisan route:clear"
_RESTART = "php artisan config:clear && php artisan reverb:restart, and restart the queue workers"
_WITH_BROADCASTING = (
    "Laravel, bootstrap/app.php: ->withBroadcasting(__DIR__.'/../routes/channels.php', "
    "['prefix' => 'api', 'middleware' => ['api', 'auth:sanctum']]), and authEndpoint: '/api/broadcasting/auth'"
)
_RENDER_JSON = (
    "Laravel, bootstrap/app.php, in withExceptions: $exceptions->shouldRenderJsonWhen(fn ($request) => "
    "$request->is('broadcasting/*', 'api/*') || $request->expectsJson()); then the app answers 401"
)
"""On Laravel 11 and 12 `redirectGuestsTo` with null does not help: the handler then uses `route('login')`."""

APP: dict[W, Cause] = {
    W.REFUSED_403: Cause(
        exit_code=50,
        sentence="The app refused the channel (403). Laravel gives no reason, and logs nothing.",
        reasons=(
            "No user is logged in for this route: the default route uses the `web` guard, which ignores a bearer token, and "
            "pusher-js sends no cookie to another origin",
            "The callback in routes/channels.php returned false: `===` between an int and a string, or the wrong model",
            "No registered channel matches the name: `private-` written in Broadcast::channel, a dot in a wildcard's "
            "value, or routes/channels.php is not loaded",
            "A model in the channel's name was not found",
        ),
        changes=(
            _WITH_BROADCASTING,
            "Frontend, for cookies to another origin: use a custom authorizer with axios and withCredentials",
            "Laravel, routes/channels.php: Broadcast::channel('live-refresh.{userId}', fn ($user, int $userId) => "
            "$user->id === $userId)",
            "Laravel: php artisan channel:list shows the registered channels; APP_DEBUG=true for a minute shows the cause, but only to requests with Accept: application/json, as the doctor's second one",
        ),
    ),
    W.UNAUTHENTICATED_401: Cause(
        exit_code=51,
        sentence="The app has no authenticated user for the request (401).",
        reasons=(
            "The token has expired or was revoked; Echo keeps the token with which it was created",
            "auth:sanctum without the `api` or `web` group, or, for a page with cookies, SANCTUM_STATEFUL_DOMAINS lacks its host and port",
        ),
        changes=(
            "Here: set a new SIDECAR_PROBE_TOKEN",
            "Laravel: add the host of a page with cookies to SANCTUM_STATEFUL_DOMAINS, and 'middleware' => ['api', 'auth:sanctum'] on the broadcasting routes",
            "Frontend: create Echo again, or set auth.headers, when the token changes",
        ),
    ),
    W.CSRF_419: Cause(
        exit_code=52,
        sentence="The app requires a CSRF token (419).",
        reasons=(
            "statefulApi() on the `api` group, and the page's host is in SANCTUM_STATEFUL_DOMAINS: Sanctum checks CSRF also "
            "for a request with a bearer token, withBroadcasting and Broadcast::routes() do not exempt it, and pusher-js "
            "sends no X-XSRF-TOKEN",
            "A hand-written auth route in the `web` group",
            "The session has expired",
        ),
        changes=(
            "Laravel, for a page with a bearer token: remove its host from SANCTUM_STATEFUL_DOMAINS",
            "Frontend, for a page with cookies: a custom authorizer with axios, withCredentials and withXSRFToken, after a "
            "login with Sanctum's cookie",
            "Laravel, for a hand-written route: replace it by withBroadcasting or Broadcast::routes(), which exempt "
            "/broadcasting/auth in the `web` group from CSRF",
        ),
    ),
    W.REDIRECT_TO_LOGIN: Cause(
        exit_code=53,
        sentence="The app redirects to its login page: pusher-js follows the redirect and cannot parse the page.",
        reasons=(
            "`auth` middleware on the route and no user logged in: with `Accept: */*`, which pusher-js sends, "
            "Laravel redirects instead of answering 401",
        ),
        changes=(
            _RENDER_JSON,
            "Frontend: send the credentials of the guard: auth: {headers: {Authorization: `Bearer ${token}`}}",
        ),
    ),
    W.REDIRECT: Cause(
        exit_code=54,
        sentence="The response is a redirect to another address, which the probe does not follow.",
        reasons=("http instead of https, or a host without www", "A trailing slash"),
        changes=(
            "Frontend and sidecar configuration: use the address that it redirects to",
            "Laravel: APP_URL and TrustProxies",
        ),
    ),
    W.ROUTE_MISSING_404: Cause(
        exit_code=55,
        sentence="The route does not exist (404).",
        reasons=(
            "At /app/…: the request reached the app or another vhost instead of Reverb, or Reverb has a path prefix",
            "At the auth endpoint, or at its preflight (Laravel answers 404 to OPTIONS only if the path has no route): channels are not registered (withBroadcasting, or `channels:` in withRouting), the route is "
            "under /api, or the route cache is stale",
            "/pusher/auth: Echo was given channelAuthorization without an endpoint, and then ignores authEndpoint",
        ),
        changes=(
            f"Laravel: php artisan route:list --path=broadcasting; {_CLEAR}",
            "Proxy: route /app and /apps to Reverb, and all other paths to the app",
            "Sidecar config: reverb.url with the prefix of REVERB_SERVER_PATH; reverb.auth_endpoint",
        ),
    ),
    W.THROTTLED_429: Cause(
        exit_code=56,
        sentence="Too many requests (429).",
        reasons=(
            "The `api` group's throttle: after a restart of Reverb every tab requests all of its channels at once",
            "A limit of the proxy or of Cloudflare",
        ),
        changes=(
            "Laravel: give broadcasting/auth its own rate limiter, by user and not by address",
            "Proxy: exempt the auth endpoint",
        ),
    ),
    W.MAINTENANCE_503: Cause(
        exit_code=57,
        sentence="The app is down for maintenance, or overloaded (503).",
        reasons=("php artisan down", "The proxy has no healthy upstream"),
        changes=(
            "Laravel: php artisan up; artisan down --secret=… does not admit the sidecar, which has no bypass cookie",
            "Proxy: check its upstream",
        ),
    ),
    W.SERVER_ERROR_5XX: Cause(
        exit_code=58,
        sentence="The app or a proxy failed (5xx).",
        reasons=(
            "`auth` middleware without a route named `login`: for `Accept: */*` Laravel fails to redirect, with 500",
            "An exception in the channel's callback: a TypeError for an id that is not a number, a model of another tenant",
            "A missing key: REVERB_APP_KEY is empty, or an encrypted channel without a master key",
            "502 or 504: PHP-FPM is down or too slow",
        ),
        changes=(
            "Laravel: read storage/logs/laravel.log; unlike a 403, this failure is logged",
            _RENDER_JSON,
            "Laravel: php artisan config:show broadcasting.connections.reverb",
        ),
    ),
    W.UNEXPECTED_STATUS: Cause(
        exit_code=59,
        sentence="The response has an unexpected status.",
        reasons=(
            "A proxy or firewall between the sidecar and the app answers itself",
            "405: the method was changed by a redirect",
        ),
        changes=("Send the request shown above with curl -i to see which server answers",),
    ),
    W.EMPTY_200: Cause(
        exit_code=60,
        sentence="The app answered 200 with an empty body.",
        reasons=(
            "BROADCAST_CONNECTION is `log` or `null` on the web servers (Laravel 11 renamed BROADCAST_DRIVER)",
            "A cached configuration from before the change",
        ),
        changes=(f"Laravel: BROADCAST_CONNECTION=reverb in the .env of the web servers; {_CLEAR}",),
    ),
    W.NOT_JSON_200: Cause(
        exit_code=61,
        sentence="The app answered 200 with a body that is not JSON: usually a page.",
        reasons=(
            "A single-page app's catch-all route answers",
            "A login page with status 200",
            "A debug bar or a notification in the output",
        ),
        changes=("Proxy or routes: route the auth endpoint to Laravel", "Sidecar config: reverb.auth_endpoint"),
    ),
    W.NO_AUTH_200: Cause(
        exit_code=62,
        sentence="The app answered 200 without a usable `auth`.",
        reasons=("A custom route or resource wraps the answer, such as in {data: …}", "A public channel was requested"),
        changes=("Laravel: return what Broadcast::auth($request) returns, unchanged",),
    ),
    W.WAF_CHALLENGE: Cause(
        exit_code=63,
        sentence="A firewall answered with an interactive challenge, which only a person can pass.",
        reasons=(
            "Cloudflare's Bot Fight Mode, Under Attack Mode or a managed challenge",
            "AWS WAF, Imperva or a similar firewall",
        ),
        changes=(
            "Cloudflare: add a WAF rule that skips challenges for /broadcasting/auth, /app and /apps (Reverb's own API too)",
            "Or add a rule that allows the sidecar's address or its user agent `reverb-sidecar`",
        ),
    ),
    W.BLOCKED_BY_CORS: Cause(
        exit_code=64,
        sentence="A browser hides the response from the page (CORS): pusher-js reports status 0.",
        reasons=(
            "Without any CORS header in a 200 or 204: config/cors.php allows only api/* and sanctum/csrf-cookie, and "
            "/broadcasting/auth is not in `paths`. The route exists, or the preflight would be a 404",
            "allowed_origins lacks the page's origin, or allowed_headers lacks Authorization",
            "supports_credentials is false, but cookies are sent",
            "A firewall or a proxy answers the OPTIONS request itself",
        ),
        changes=(
            "Laravel, config/cors.php: 'paths' => ['api/*', 'sanctum/csrf-cookie', 'broadcasting/auth'], "
            "'allowed_origins' => ['https://app.example.test'], 'supports_credentials' => true",
            "Or use /api/broadcasting/auth, which is in `paths` already",
        ),
    ),
    W.LOGIN_REFUSED: Cause(
        exit_code=65,
        sentence="The probe user could not log in.",
        reasons=(
            "SIDECAR_PROBE_EMAIL or SIDECAR_PROBE_PASSWORD is wrong",
            "Two-factor, a captcha or a throttle on the login",
        ),
        changes=(
            "Here: correct the two variables",
            "Laravel: create a user for the probe, without two-factor; or use login: bearer with a token",
        ),
    ),
    W.SIGNED_WITH_OTHER_KEY: Cause(
        exit_code=66,
        sentence="The app signs for another Reverb application: key and signature differ from the configured ones.",
        reasons=(
            "The web servers run with another environment's REVERB_APP_KEY and REVERB_APP_SECRET",
            "Two applications in config/reverb.php",
        ),
        changes=(f"Laravel: use one set of REVERB_APP_* for the web, the queue and Reverb; {_RESTART}",),
    ),
    W.SIGNED_WITH_OTHER_SECRET: Cause(
        exit_code=67,
        sentence="The app signs with another secret. It answers 200, and the browser never subscribes and shows no error.",
        reasons=(
            "REVERB_APP_SECRET was changed, and the web servers run with a cached configuration",
            "The sidecar's REVERB_APP_SECRET is not Reverb's (then round trips fail with 401 too)",
        ),
        changes=(
            f"Laravel: the same REVERB_APP_SECRET everywhere; {_RESTART}",
            "Here: set Reverb's REVERB_APP_SECRET",
        ),
    ),
    W.SIGNED_FOR_OTHER_SOCKET: Cause(
        exit_code=68,
        sentence="The response was signed for an earlier connection: it comes from a cache.",
        reasons=(
            "A cache answers for the auth endpoint: a CDN rule, a service worker, response caching in Laravel",
            "A custom authorizer reuses a response",
        ),
        changes=(
            "Cache: do not cache broadcasting/auth (Cache-Control: no-store)",
            "Frontend: request the auth endpoint on every connection",
        ),
    ),
    W.SIGNED_FOR_OTHER_CHANNEL: Cause(
        exit_code=69,
        sentence="The response was signed for another channel's name.",
        reasons=("A custom authorizer or route drops or doubles `private-`",),
        changes=(
            "Frontend: send channel.name unchanged as channel_name",
            "Laravel: sign $request->channel_name unchanged",
        ),
    ),
    W.TIMEOUT_LOGIN: Cause(
        exit_code=75,
        sentence="The login was not answered in time.",
        reasons=("The app is slow or frozen",),
        changes=("Server: check PHP-FPM's slow log and its free children",),
    ),
    W.TIMEOUT_PREFLIGHT: Cause(
        exit_code=76,
        sentence="The CORS preflight request (OPTIONS) was not answered in time.",
        reasons=("The app is slow or frozen", "A proxy drops OPTIONS"),
        changes=("Server: check PHP-FPM's slow log and its free children", "Proxy: forward OPTIONS"),
    ),
    W.TIMEOUT_AUTHORISE: Cause(
        exit_code=77,
        sentence="The auth endpoint did not answer in time.",
        reasons=(
            "All workers are busy: after a restart of Reverb every tab sends requests at once",
            "Another request of the same user holds the session lock",
            "A slow callback in routes/channels.php",
        ),
        changes=(
            "Server: check PHP-FPM's slow log and its free children",
            "Laravel: run no slow queries in the callback",
        ),
    ),
}

REFUSED_TO_TOKEN: Cause = msgspec.structs.replace(
    APP[W.REFUSED_403],
    reasons=(
        *APP[W.REFUSED_403].reasons[1:],
        "The route has no auth:sanctum middleware, so that it ignores the token and no user is logged in",
    ),
    changes=(*APP[W.REFUSED_403].changes[2:], _WITH_BROADCASTING),
)
"""The 403 of a request with a bearer token to a route under /api, which is not the default route with the `web` guard."""
