<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Closure;
use Illuminate\Container\Container;
use ReverbSidecar\Laravel\SendTiming;

/**
 * Send facts after the response, so that no client waits for them. In a queue worker or a command there is no response,
 * and facts are sent at once.
 */
final class AfterResponse implements SendTiming
{
    public function schedule(Closure $send): void
    {
        $app = Container::getInstance();
        if ($app->runningInConsole()) {
            $send();
        } else {
            $app->terminating($send);
        }
    }
}
