<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Closure;
use Throwable;

/**
 * The steps after a payment, in order: commit, ack `paid`, broadcast. A failure of a step is acked and reported, and
 * never reaches the webhook: the booking stays paid, and Stripe gets its 200.
 */
final class PaymentBroadcast
{
    /**
     * @param Closure(Closure): void $afterCommit runs its argument once the open transaction is committed, or at once
     * @param Closure(Throwable): void $report passes an exception to the app's error reporting
     */
    public function __construct(
        private readonly Outbox $outbox,
        private readonly Identity $identity,
        private readonly Closure $afterCommit,
        private readonly Closure $report,
    ) {
    }

    /**
     * Ack that the booking is paid, and broadcast it, once the transaction is committed.
     *
     * @param int|string|null $userId the owner of the booking
     * @param callable(): mixed $broadcast broadcasts, with a payload that names the payment
     */
    public function paid(string $paymentIntent, int|string|null $userId, callable $broadcast): void
    {
        $isStarted = false;
        $run = function () use ($paymentIntent, $userId, $broadcast, &$isStarted): void {
            if ($isStarted) {
                return;
            }
            $isStarted = true;
            $this->outbox->add(Ack::paid($paymentIntent, $this->identity->reference($userId)));
            try {
                $broadcast();
            } catch (Throwable $error) {
                $this->outbox->add(Ack::skipped($paymentIntent, SkipReason::Failed));
                $this->report($error);
            }
        };
        try {
            ($this->afterCommit)($run);
        } catch (Throwable $error) {
            $this->report($error);
            $run();
        }
    }

    /**
     * Ack that nothing is broadcast for this payment, with the reason.
     */
    public function skipped(string $paymentIntent, SkipReason $reason): void
    {
        $this->outbox->add(Ack::skipped($paymentIntent, $reason));
    }

    private function report(Throwable $error): void
    {
        try {
            ($this->report)($error);
        } catch (Throwable) {
            // Error reporting that fails must not fail a payment either.
        }
    }
}
