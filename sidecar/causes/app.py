"""The app: login, CORS, the auth endpoint, and what it signed."""

from sidecar.causes.cause import Cause
from sidecar.core.facts.auth_probes import AuthProbeOutcome as W

_CLEAR = "php artisan config:clear && php artisan route:clear"
_RESTART = "php artisan config:clear && php artisan reverb:restart, and restart the queue workers"

APP: dict[W, Cause] = {
    W.REFUSED_403: Cause(
        exit_code=50,
        sentence="The app refused the channel (403). Laravel gives no reason, and logs nothing.",
        reasons=(
            "Nobody is logged in for this route: the default route has the `web` guard, so that a bearer token counts for "
            "nothing there, and pusher-js sends no cookie to another origin",
            "The callback in routes/channels.php returned false: `===` between an int and a string, or the wrong model",
            "No registered channel has such a name: `private-` written in Broadcast::channel, a dot in a wildcard's "
            "value, or routes/channels.php is not loaded",
            "A model that the channel's name stands for was not found",
        ),
        changes=(
            "Laravel, bootstrap/app.php: ->withBroadcasting(__DIR__.'/../routes/channels.php', "
            "['prefix' => 'api', 'middleware' => ['api', 'auth:sanctum']]), and authEndpoint: '/api/broadcasting/auth'",
            "Frontend, for cookies to another origin: a custom authorizer with axios and withCredentials",
            "Laravel, routes/channels.php: Broadcast::channel('live-refresh.{userId}', fn ($user, int $userId) => "
            "$user->id === $userId)",
            "Laravel: php artisan channel:list shows what is registered; APP_DEBUG=true for a minute names the cause",
        ),
    ),
    W.UNAUTHENTICATED_401: Cause(
        exit_code=51,
        sentence="The app does not know who asks (401).",
        reasons=(
            "The token has expired or was revoked; Echo keeps the one that it had when it was made",
            "auth:sanctum without the `api` or `web` group, or SANCTUM_STATEFUL_DOMAINS lacks this host and port",
        ),
        changes=(
            "Here: a fresh SIDECAR_PROBE_TOKEN",
            "Laravel: SANCTUM_STATEFUL_DOMAINS, and 'middleware' => ['api', 'auth:sanctum'] on the broadcasting routes",
            "Frontend: make Echo anew, or set auth.headers, when the token changes",
        ),
    ),
    W.CSRF_419: Cause(
        exit_code=52,
        sentence="The app wants a CSRF token (419).",
        reasons=(
            "statefulApi() on the `api` group: Sanctum checks CSRF for stateful domains, and pusher-js sends no X-XSRF-TOKEN",
            "A hand-written auth route in the `web` group",
            "The session ended",
        ),
        changes=(
            "Laravel: use Broadcast::routes() (it exempts its route from CSRF), not a route of your own",
            "Frontend: a custom authorizer with axios, withCredentials and withXSRFToken",
        ),
    ),
    W.REDIRECT_TO_LOGIN: Cause(
        exit_code=53,
        sentence="The app sends the browser to its login page: pusher-js would follow and choke on the page.",
        reasons=(
            "`auth` middleware on the route and no user logged in: with `Accept: */*`, which is what pusher-js sends, "
            "Laravel redirects instead of answering 401",
        ),
        changes=(
            "Laravel, bootstrap/app.php: $middleware->redirectGuestsTo(fn ($request) => "
            "$request->is('broadcasting/auth') ? null : route('login'))",
            "Frontend: send what the guard wants: auth: {headers: {Authorization: `Bearer ${token}`}}",
        ),
    ),
    W.REDIRECT: Cause(
        exit_code=54,
        sentence="The answer is a redirect to elsewhere, which is not followed.",
        reasons=("http instead of https, or a host without www", "A trailing slash"),
        changes=(
            "Frontend and sidecar configuration: write the address that it redirects to",
            "Laravel: APP_URL and TrustProxies",
        ),
    ),
    W.ROUTE_MISSING_404: Cause(
        exit_code=55,
        sentence="There is no such route (404).",
        reasons=(
            "At /app/…: the request reached the app or another vhost instead of Reverb, or Reverb has a path prefix",
            "At the auth endpoint: channels are not wired (withBroadcasting, or `channels:` in withRouting), the route is "
            "under /api, or the route cache is stale",
            "/pusher/auth: Echo was given channelAuthorization without an endpoint, and then ignores authEndpoint",
        ),
        changes=(
            f"Laravel: php artisan route:list --path=broadcasting; {_CLEAR}",
            "Proxy: location /app and location /apps to Reverb, all else to the app",
            "Our config: reverb.url with the prefix of REVERB_SERVER_PATH; reverb.auth_endpoint",
        ),
    ),
    W.THROTTLED_429: Cause(
        exit_code=56,
        sentence="Too many requests (429).",
        reasons=(
            "The `api` group's throttle: after a restart of Reverb every tab asks for each of its channels at once",
            "A limit of the proxy or of Cloudflare",
        ),
        changes=(
            "Laravel: a limiter of its own for broadcasting/auth, by user and not by address",
            "Proxy: exempt the auth endpoint",
        ),
    ),
    W.MAINTENANCE_503: Cause(
        exit_code=57,
        sentence="The app is down for maintenance, or overloaded (503).",
        reasons=("php artisan down", "The proxy has no healthy app behind it"),
        changes=("Laravel: php artisan up", "Laravel: php artisan down --secret=… lets the sidecar and others through"),
    ),
    W.SERVER_ERROR_5XX: Cause(
        exit_code=58,
        sentence="The app or a proxy failed (5xx).",
        reasons=(
            "`auth` middleware without a route named `login`: for `Accept: */*` Laravel fails to redirect, with 500",
            "An exception in the channel's callback: a TypeError for an id that is no number, a model of another tenant",
            "A missing key: REVERB_APP_KEY is empty, or an encrypted channel without a master key",
            "502 or 504: PHP-FPM is down or too slow",
        ),
        changes=(
            "Laravel: storage/logs/laravel.log has this one, unlike a 403",
            "Laravel: php artisan config:show broadcasting.connections.reverb",
        ),
    ),
    W.UNEXPECTED_STATUS: Cause(
        exit_code=59,
        sentence="The answer has a status that nothing of this should have.",
        reasons=(
            "Something between here and there answers in its own right",
            "405: the method was changed by a redirect",
        ),
        changes=("Look at what answers: curl -i with what was sent above",),
    ),
    W.EMPTY_200: Cause(
        exit_code=60,
        sentence="The app answered 200 with nothing in it.",
        reasons=(
            "BROADCAST_CONNECTION is `log` or `null` where the web runs (Laravel 11 renamed BROADCAST_DRIVER)",
            "A cached configuration from before it was changed",
        ),
        changes=(f"Laravel: BROADCAST_CONNECTION=reverb in the .env of the web servers; {_CLEAR}",),
    ),
    W.NOT_JSON_200: Cause(
        exit_code=61,
        sentence="The app answered 200 with something that is not JSON: usually a page.",
        reasons=(
            "A single-page app's catch-all route answers",
            "A login page with status 200",
            "A debug bar or a notification in the output",
        ),
        changes=("Proxy or routes: let the auth endpoint reach Laravel", "Our config: reverb.auth_endpoint"),
    ),
    W.NO_AUTH_200: Cause(
        exit_code=62,
        sentence="The app answered 200 without a usable `auth`.",
        reasons=("A custom route or resource wraps the answer, such as in {data: …}", "A public channel was asked for"),
        changes=("Laravel: return what Broadcast::auth($request) returns, unchanged",),
    ),
    W.WAF_CHALLENGE: Cause(
        exit_code=63,
        sentence="A firewall answered with a challenge that only a person in a page can pass.",
        reasons=(
            "Cloudflare's Bot Fight Mode, Under Attack Mode or a managed challenge",
            "AWS WAF, Imperva or the like",
        ),
        changes=(
            "Cloudflare: a WAF rule that skips challenges for /broadcasting/auth, /app and /apps (Reverb's own API too)",
            "Or a rule that lets the sidecar's address, or its user agent `reverb-sidecar`, pass",
        ),
    ),
    W.BLOCKED_BY_CORS: Cause(
        exit_code=64,
        sentence="A browser does not let the page read the answer (CORS): in pusher-js this is status 0.",
        reasons=(
            "config/cors.php allows only api/* and sanctum/csrf-cookie: /broadcasting/auth is not in `paths`",
            "allowed_origins lacks the page's origin, or allowed_headers lacks Authorization",
            "supports_credentials is false where cookies are sent",
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
            "Here: the two variables",
            "Laravel: a user for this alone, without two-factor; or login: bearer with a token",
        ),
    ),
    W.SIGNED_WITH_OTHER_KEY: Cause(
        exit_code=66,
        sentence="The app signs for another Reverb application: key and signature differ.",
        reasons=(
            "The web runs with another environment's REVERB_APP_KEY and REVERB_APP_SECRET",
            "Two applications in config/reverb.php",
        ),
        changes=(f"Laravel: one set of REVERB_APP_* for the web, the queue and Reverb; {_RESTART}",),
    ),
    W.SIGNED_WITH_OTHER_SECRET: Cause(
        exit_code=67,
        sentence="The app signs with another secret. It answers 200, and in the browser nothing happens, for ever.",
        reasons=(
            "REVERB_APP_SECRET was changed, and the web runs with a cached configuration",
            "REVERB_APP_SECRET here is not that of Reverb (then round trips fail with 401 too)",
        ),
        changes=(
            f"Laravel: the same REVERB_APP_SECRET everywhere; {_RESTART}",
            "Here: REVERB_APP_SECRET",
        ),
    ),
    W.SIGNED_FOR_OTHER_SOCKET: Cause(
        exit_code=68,
        sentence="The answer was signed for an earlier connection: something remembers it.",
        reasons=(
            "A cache answers the auth endpoint: a CDN rule, a service worker, response caching in Laravel",
            "A custom authorizer keeps the answer",
        ),
        changes=(
            "Cache: never for broadcasting/auth (Cache-Control: no-store)",
            "Frontend: ask anew on every connection",
        ),
    ),
    W.SIGNED_FOR_OTHER_CHANNEL: Cause(
        exit_code=69,
        sentence="The answer was signed for another channel's name.",
        reasons=("A custom authorizer or route drops or doubles `private-`",),
        changes=(
            "Frontend: send channel.name unchanged as channel_name",
            "Laravel: sign $request->channel_name unchanged",
        ),
    ),
    W.TIMEOUT_LOGIN: Cause(
        exit_code=75,
        sentence="The login was not answered in time.",
        reasons=("The app is slow or stands still",),
        changes=("Server: PHP-FPM's slow log, and its free children",),
    ),
    W.TIMEOUT_PREFLIGHT: Cause(
        exit_code=76,
        sentence="The browser's question whether it may ask (OPTIONS) was not answered in time.",
        reasons=("The app is slow or stands still", "A proxy drops OPTIONS"),
        changes=("Server: PHP-FPM's slow log, and its free children", "Proxy: let OPTIONS through"),
    ),
    W.TIMEOUT_AUTHORISE: Cause(
        exit_code=77,
        sentence="The auth endpoint did not answer in time.",
        reasons=(
            "All workers are busy: after a restart of Reverb every tab asks at once",
            "The session's lock: another request of the same user holds it",
            "A slow callback in routes/channels.php",
        ),
        changes=(
            "Server: PHP-FPM's slow log, and its free children",
            "Laravel: no queries in the callback that can wait",
        ),
    ),
}
