<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * The monotonic clock, for durations.
 */
final class Monotonic
{
    /**
     * Return milliseconds since an arbitrary point in time.
     */
    public static function nowMs(): int
    {
        return intdiv(hrtime(true), 1_000_000);
    }
}
