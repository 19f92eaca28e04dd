<?php

declare(strict_types=1);

namespace Illuminate\Foundation\Events;

use Illuminate\Container\Container;

/**
 * Stand-in: `Event::dispatch(…)` passes a new event to the dispatcher.
 */
trait Dispatchable
{
    public static function dispatch(mixed ...$arguments): void
    {
        Container::getInstance()->make('events')->dispatch(new static(...$arguments));
    }
}
