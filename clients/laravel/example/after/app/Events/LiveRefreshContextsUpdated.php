<?php

namespace App\Events;

use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcast;
use Illuminate\Foundation\Events\Dispatchable;
use ReverbSidecar\Laravel\Framework\NamesPayment;

class LiveRefreshContextsUpdated implements ShouldBroadcast
{
    use Dispatchable;
    use NamesPayment;

    public function __construct(
        public array $contexts,
        public array $userIds = [],
        public bool $notifyAdmins = false,
        ?string $paymentIntent = null,
    ) {
        $this->paymentIntent = $paymentIntent;
    }

    public function broadcastOn(): array
    {
        $channels = array_map(fn ($id) => new PrivateChannel('live-refresh.' . $id), $this->userIds);

        $channels = $this->notifyAdmins ? [...$channels, new PrivateChannel('live-refresh.admin')] : $channels;

        return $this->andToTheSidecar($channels);
    }

    public function broadcastWith(): array
    {
        return $this->namingThePayment(['contexts' => $this->contexts], $this->userIds);
    }
}
