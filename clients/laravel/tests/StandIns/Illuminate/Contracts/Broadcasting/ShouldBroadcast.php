<?php

declare(strict_types=1);

namespace Illuminate\Contracts\Broadcasting;

/**
 * Stand-in: an event that is broadcast, from a queue.
 */
interface ShouldBroadcast
{
    /**
     * @return mixed
     */
    public function broadcastOn();
}
