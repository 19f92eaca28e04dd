<?php

declare(strict_types=1);

namespace Illuminate\Contracts\Routing;

/**
 * Stand-in: a model bound to a route parameter.
 */
interface UrlRoutable
{
    /**
     * @param mixed $value
     * @param string|null $field
     * @return mixed
     */
    public function resolveRouteBinding($value, $field = null);
}
