<?php

declare(strict_types=1);

namespace Illuminate\Contracts\Broadcasting;

/**
 * Stand-in: an event that is broadcast at once.
 */
interface ShouldBroadcastNow extends ShouldBroadcast
{
}
