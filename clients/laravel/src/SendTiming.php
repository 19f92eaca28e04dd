<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Closure;

/**
 * The time at which facts are sent.
 */
interface SendTiming
{
    /**
     * Run this at that time. It may run several times with the same effect.
     *
     * @param Closure(): void $send
     */
    public function schedule(Closure $send): void;
}
