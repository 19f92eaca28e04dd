<?php

declare(strict_types=1);

use ReverbSidecar\Laravel\ReleaseMarker;

return [
    // The transport of facts: http (POST /acks), redis (the ack stream), none. Http without url or token: none.
    'transport' => env('SIDECAR_TRANSPORT', 'http'),

    // http: the sidecar's public listener, such as http://127.0.0.1:8700, and its token of the same name.
    'url' => env('SIDECAR_URL'),
    'token' => env('SIDECAR_ACK_TOKEN'),

    // redis: the stream of the sidecar's `acks.redis_stream`. The app's own Redis prefix does not apply.
    'redis' => [
        'url' => env('SIDECAR_REDIS_URL', 'redis://127.0.0.1:6379/0'),
        'password' => env('SIDECAR_REDIS_PASSWORD'),
        'stream' => env('SIDECAR_REDIS_STREAM', 'broadcast-acks'),
    ],

    // after_response or at_once. Unset: http after the response, redis at once. A queue worker always sends at once.
    'when' => env('SIDECAR_WHEN'),

    // The timeout for all facts that are sent at one time together, in milliseconds; at most 900.
    'budget_ms' => env('SIDECAR_BUDGET_MS', 250),

    // The same key as the sidecar's: users get an opaque reference. Unset: their id is sent, and only where needed.
    'identity_key' => env('SIDECAR_IDENTITY_KEY'),

    // Signs the tokens of payers' browsers: at least 32 bytes, the sidecar's SIDECAR_BROWSER_SECRET. At most 3600 s.
    'browser_secret' => env('SIDECAR_BROWSER_SECRET'),
    'token_lasts_s' => env('SIDECAR_TOKEN_LASTS_S', 900),

    // The sidecar's `environment`: it refuses the tokens of another one. Unset: tokens are good for every environment.
    'environment' => env('SIDECAR_ENVIRONMENT'),

    // The name of a user's own channel (the sidecar's `reverb.channel`), and whether requests for it are reported.
    'channel' => env('SIDECAR_CHANNEL', 'private-live-refresh.{user_id}'),
    'auth_reports' => env('SIDECAR_AUTH_REPORTS', true),

    // The channel of the sidecar's own sockets (its `reverb.observer_channel`), without `private-`.
    'observer_channel' => env('SIDECAR_OBSERVER_CHANNEL', 'reverb-sidecar'),

    // The app's version, in every ack. Unset: a REVISION file in the app's folder, or its git revision.
    'release' => ReleaseMarker::of((string) env('SIDECAR_RELEASE'), base_path()),
];
