<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * How long a broadcast may take. Laravel's own bounds are 10 s to connect and 30 s in all: a Reverb that hangs would
 * hold the webhook for so long, and Stripe with it.
 */
final class BoundedTimeouts
{
    public const CONNECT_S = 1.0;
    public const TOTAL_S = 3.0;

    /**
     * Return the `client_options` of a broadcast connection, with our bounds where it sets none.
     *
     * @param mixed $options as they stand in config/broadcasting.php
     * @return array<array-key, mixed>
     */
    public static function in(mixed $options): array
    {
        return (is_array($options) ? $options : []) + [
            'connect_timeout' => self::CONNECT_S,
            'timeout' => self::TOTAL_S,
        ];
    }
}
