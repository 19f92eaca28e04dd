<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Container\Container;
use ReverbSidecar\Laravel\ObservedBroadcast;

/**
 * Add the payment to an event that is broadcast after payments, among others: the same call of Reverb's API sends the
 * event to the sidecar's sockets too, and its payload names the payment. Without a payment nothing changes.
 */
trait NamesPayment
{
    /** The payment (`pi_…`) of this broadcast. Null: none. */
    public ?string $paymentIntent = null;

    /**
     * Return the channels, and with a payment also the sidecar's channel.
     *
     * @param list<\Illuminate\Broadcasting\Channel> $channels
     * @return list<\Illuminate\Broadcasting\Channel>
     */
    protected function andToTheSidecar(array $channels): array
    {
        if ($this->paymentIntent === null || $channels === []) {
            return $channels;
        }
        $observed = Container::getInstance()->make(ObservedBroadcast::class);

        return [...$channels, new PrivateChannel($observed->channel)];
    }

    /**
     * Return the payload, and with a payment also its id, and an opaque user reference if there is exactly one user.
     *
     * @param array<string, mixed> $payload
     * @param array<array-key, int|string> $userIds the recipients
     * @return array<string, mixed>
     */
    protected function namingThePayment(array $payload, array $userIds): array
    {
        return Container::getInstance()->make(ObservedBroadcast::class)
            ->payload($payload, $this->paymentIntent, $userIds);
    }
}
