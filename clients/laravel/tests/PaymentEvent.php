<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcastNow;
use Illuminate\Foundation\Events\Dispatchable;
use ReverbSidecar\Laravel\Framework\NamesPayment;

/**
 * An event that broadcasts a payment without a queue.
 */
final class PaymentEvent implements ShouldBroadcastNow
{
    use Dispatchable;
    use NamesPayment;

    public function __construct(public int $userId, ?string $paymentIntent)
    {
        $this->paymentIntent = $paymentIntent;
    }

    /**
     * @return list<\Illuminate\Broadcasting\Channel>
     */
    public function broadcastOn(): array
    {
        return $this->andToTheSidecar([new PrivateChannel("live-refresh.$this->userId")]);
    }

    /**
     * @return array<string, mixed>
     */
    public function broadcastWith(): array
    {
        return $this->namingThePayment(['contexts' => ['bookings']], [$this->userId]);
    }
}
