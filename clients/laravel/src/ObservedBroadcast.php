<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * Add to a broadcast what the sidecar needs to observe it: the payment, and an opaque user, in the payload.
 */
final class ObservedBroadcast
{
    public const CHANNEL = 'reverb-sidecar';
    public const PAYMENT_KEY = 'payment_intent';
    public const USER_KEY = 'user_ref';

    /**
     * @param string $channel the channel of the sidecar's sockets, without `private-`
     */
    public function __construct(
        private readonly Identity $identity = new Identity(),
        public readonly string $channel = self::CHANNEL,
    ) {
    }

    /**
     * Return the payload with the payment, and with the user if it is sent to exactly one.
     *
     * @param array<string, mixed> $payload
     * @param array<array-key, int|string> $userIds
     * @return array<string, mixed>
     */
    public function payload(array $payload, ?string $paymentIntent, array $userIds = []): array
    {
        if ($paymentIntent === null) {
            return $payload;
        }
        $userRef = count($userIds) === 1 ? $this->identity->reference(reset($userIds)) : null;

        return $payload
            + [self::PAYMENT_KEY => $paymentIntent]
            + ($userRef === null ? [] : [self::USER_KEY => $userRef]);
    }
}
