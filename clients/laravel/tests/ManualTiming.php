<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

use Closure;
use ReverbSidecar\Laravel\SendTiming;

/**
 * A timing that a test fires.
 */
final class ManualTiming implements SendTiming
{
    /** @var list<Closure> */
    public array $waiting = [];

    public function schedule(Closure $send): void
    {
        $this->waiting[] = $send;
    }

    /**
     * Run everything that waits.
     */
    public function fire(): void
    {
        foreach ($this->waiting as $send) {
            $send();
        }
        $this->waiting = [];
    }
}
