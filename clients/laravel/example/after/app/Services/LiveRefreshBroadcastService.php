<?php

namespace App\Services;

use App\Events\LiveRefreshContextsUpdated;

class LiveRefreshBroadcastService
{
    public static function notify(
        array $contexts,
        array $userIds = [],
        bool $notifyAdmins = false,
        ?string $paymentIntent = null,
    ): void {
        LiveRefreshContextsUpdated::dispatch($contexts, $userIds, $notifyAdmins, $paymentIntent);
    }
}
