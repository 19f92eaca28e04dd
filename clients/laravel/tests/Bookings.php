<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

use Illuminate\Contracts\Routing\UrlRoutable;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/**
 * A model bound to a channel's name; only number 7 exists.
 */
final class Bookings implements UrlRoutable
{
    public function resolveRouteBinding($value, $field = null)
    {
        return $value === '7' ? $this : null;
    }

    /**
     * Refuse, in a method with the name of a framework method.
     */
    public static function auth(): never
    {
        throw new AccessDeniedHttpException();
    }
}
