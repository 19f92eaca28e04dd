<?php

declare(strict_types=1);

namespace App\Http\Controllers\Api;

/**
 * Stand-in for the app's own controller: the constant that the webhook uses.
 */
class LiveRefreshController
{
    public const CONTEXT_BOOKINGS = 'bookings';
}
