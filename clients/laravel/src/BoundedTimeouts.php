<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * The timeouts of a broadcast. Laravel's defaults are 10 s to connect and 30 s in total: a Reverb that hangs would
 * delay the webhook, and with it Stripe, for that long.
 */
final class BoundedTimeouts
{
    public const CONNECT_S = 1.0;
    public const TOTAL_S = 3.0;

    /**
     * Return the `client_options` of a broadcast connection, with these timeouts where it sets none.
     *
     * @param mixed $options the value in config/broadcasting.php
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
