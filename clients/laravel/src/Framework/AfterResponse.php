<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Closure;
use Illuminate\Container\Container;
use ReverbSidecar\Laravel\Moment;

/**
 * Facts are sent when the response is out: nobody waits for them. In a queue worker or a command there is no response,
 * and they are sent at once.
 */
final class AfterResponse implements Moment
{
    public function then(Closure $send): void
    {
        $app = Container::getInstance();
        if ($app->runningInConsole()) {
            $send();
        } else {
            $app->terminating($send);
        }
    }
}
