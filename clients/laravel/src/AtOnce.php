<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Closure;

/**
 * Send facts as soon as they are added.
 */
final class AtOnce implements SendTiming
{
    public function schedule(Closure $send): void
    {
        $send();
    }
}
