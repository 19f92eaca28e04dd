<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Closure;

/**
 * When facts are sent.
 */
interface Moment
{
    /**
     * Run this when the moment has come; once or several times is the same.
     *
     * @param Closure(): void $send
     */
    public function then(Closure $send): void;
}
