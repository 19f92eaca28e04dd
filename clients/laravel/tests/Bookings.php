<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

use Illuminate\Contracts\Routing\UrlRoutable;

/**
 * A model that a channel's name stands for; only number 7 exists.
 */
final class Bookings implements UrlRoutable
{
    public function resolveRouteBinding($value, $field = null)
    {
        return $value === '7' ? $this : null;
    }
}
