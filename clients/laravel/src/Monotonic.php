<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * The clock that never goes back, for durations.
 */
final class Monotonic
{
    /**
     * Milliseconds since some moment.
     */
    public static function nowMs(): int
    {
        return intdiv(hrtime(true), 1_000_000);
    }
}
