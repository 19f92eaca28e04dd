<?php

namespace App\Events;

use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcast;
use Illuminate\Foundation\Events\Dispatchable;

class LiveRefreshContextsUpdated implements ShouldBroadcast
{
    use Dispatchable;

    public function __construct(public array $contexts, public array $userIds = [], public bool $notifyAdmins = false)
    {
    }

    public function broadcastOn(): array
    {
        $channels = array_map(fn ($id) => new PrivateChannel('live-refresh.' . $id), $this->userIds);

        return $this->notifyAdmins ? [...$channels, new PrivateChannel('live-refresh.admin')] : $channels;
    }

    public function broadcastWith(): array
    {
        return ['contexts' => $this->contexts];
    }
}
