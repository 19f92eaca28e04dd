<?php

declare(strict_types=1);

namespace Illuminate\Broadcasting;

use RuntimeException;

/**
 * Stand-in: what PusherBroadcaster throws when Reverb's API does not take an event.
 */
class BroadcastException extends RuntimeException
{
}
