<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

use Closure;
use ReverbSidecar\Laravel\Moment;

/**
 * A moment that comes when a test says so.
 */
final class Kept implements Moment
{
    /** @var list<Closure> */
    public array $waiting = [];

    public function then(Closure $send): void
    {
        $this->waiting[] = $send;
    }

    /**
     * Let it come.
     */
    public function come(): void
    {
        foreach ($this->waiting as $send) {
            $send();
        }
        $this->waiting = [];
    }
}
