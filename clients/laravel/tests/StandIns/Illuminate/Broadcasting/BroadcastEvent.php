<?php

declare(strict_types=1);

namespace Illuminate\Broadcasting;

use Illuminate\Contracts\Broadcasting\ShouldBroadcast;

/**
 * Stand-in: the job in which an event is broadcast, at once or from a queue.
 */
class BroadcastEvent
{
    public function __construct(public ShouldBroadcast $event)
    {
    }

    public function handle(BroadcastManager $manager): void
    {
        $event = $this->event;
        $name = method_exists($event, 'broadcastAs') ? $event->broadcastAs() : $event::class;
        $channels = (array) $event->broadcastOn();
        if ($channels === []) {
            return;
        }
        $payload = method_exists($event, 'broadcastWith') ? $event->broadcastWith() : get_object_vars($event);
        $manager->connection()->broadcast($channels, $name, $payload + ['socket' => null]);
    }
}
