<?php

declare(strict_types=1);

namespace Illuminate\Broadcasting;

use RuntimeException;

/**
 * Stand-in: the exception of PusherBroadcaster when Reverb's API rejects an event.
 */
class BroadcastException extends RuntimeException
{
}
