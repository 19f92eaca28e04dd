<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Container\Container;
use ReverbSidecar\Laravel\ObservedBroadcast;

/**
 * For an event that is broadcast after payments, among others: the same event in the same call of Reverb's API goes to
 * the sidecar's own sockets too, and its payload names the payment. Without a payment nothing changes.
 */
trait NamesPayment
{
    /** The payment (`pi_…`) that this broadcast is about. Null: it is about none. */
    public ?string $paymentIntent = null;

    /**
     * Return the channels, and with a payment also the one where the sidecar listens.
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
     * Return the payload, and with a payment also its name, and an opaque reference if it goes to exactly one user.
     *
     * @param array<string, mixed> $payload
     * @param array<array-key, int|string> $userIds whom it goes to
     * @return array<string, mixed>
     */
    protected function namingThePayment(array $payload, array $userIds): array
    {
        return Container::getInstance()->make(ObservedBroadcast::class)
            ->payload($payload, $this->paymentIntent, $userIds);
    }
}
