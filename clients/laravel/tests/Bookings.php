<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

use Illuminate\Contracts\Routing\UrlRoutable;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/**
 * A model that a channel's name stands for; only number 7 exists.
 */
final class Bookings implements UrlRoutable
{
    public function resolveRouteBinding($value, $field = null)
    {
        return $value === '7' ? $this : null;
    }

    /**
     * Refuse, in a method that is named as the framework's own.
     */
    public static function auth(): never
    {
        throw new AccessDeniedHttpException();
    }
}
