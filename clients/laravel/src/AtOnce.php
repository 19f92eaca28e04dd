<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Closure;

/**
 * Facts are sent where they are told.
 */
final class AtOnce implements Moment
{
    public function then(Closure $send): void
    {
        $send();
    }
}
