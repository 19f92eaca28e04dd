<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * Report how far the broadcast of one payment got. An ack always names its payment.
 */
final class Ack implements Fact
{
    /**
     * @param list<string> $contexts
     */
    private function __construct(
        private readonly Stage $stage,
        private readonly string $paymentIntent,
        private readonly ?string $userRef = null,
        private readonly array $contexts = [],
        private readonly ?SkipReason $reason = null,
    ) {
    }

    /**
     * Return the ack of a payment whose booking is committed as paid.
     */
    public static function paid(string $paymentIntent, ?string $userRef = null): self
    {
        return new self(Stage::Paid, $paymentIntent, $userRef);
    }

    /**
     * Return the ack of a payment for which nothing was broadcast.
     */
    public static function skipped(string $paymentIntent, SkipReason $reason): self
    {
        return new self(Stage::Skipped, $paymentIntent, reason: $reason);
    }

    /**
     * Return the ack of a broadcast that Reverb's API accepted. Null: the payload names no payment.
     *
     * @param array<array-key, mixed> $payload
     */
    public static function dispatched(array $payload): ?self
    {
        return self::of(Stage::Dispatched, $payload);
    }

    /**
     * Return the ack of a broadcast that failed. Null: the payload names no payment.
     *
     * @param array<array-key, mixed> $payload
     */
    public static function failed(array $payload): ?self
    {
        return self::of(Stage::Skipped, $payload, SkipReason::Failed);
    }

    public function fields(): array
    {
        return array_filter([
            'stage' => $this->stage->value,
            'payment_intent' => $this->paymentIntent,
            'user_ref' => $this->userRef,
            'contexts' => $this->contexts,
            'reason' => $this->reason?->value,
        ], static fn (mixed $value): bool => $value !== null && $value !== []);
    }

    /**
     * @param array<array-key, mixed> $payload
     */
    private static function of(Stage $stage, array $payload, ?SkipReason $reason = null): ?self
    {
        $paymentIntent = $payload[ObservedBroadcast::PAYMENT_KEY] ?? null;
        if (!Identifier::isValid($paymentIntent)) {
            return null;
        }
        $userRef = $payload[ObservedBroadcast::USER_KEY] ?? null;
        $contexts = Identifier::validIn($payload['contexts'] ?? []);

        return new self($stage, $paymentIntent, Identifier::isValid($userRef) ? $userRef : null, $contexts, $reason);
    }
}
