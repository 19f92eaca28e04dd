<?php

declare(strict_types=1);

namespace Illuminate\Support\Facades;

use Illuminate\Container\Container;

/**
 * Stand-in: writes to the container's log.
 */
class Log
{
    /**
     * @param array<string, mixed> $context
     */
    public static function warning(string $message, array $context = []): void
    {
        Container::getInstance()->make('log')->warning($message, $context);
    }
}
