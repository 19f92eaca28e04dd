<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Closure;
use Throwable;

/**
 * The order of things after a payment: commit, tell the sidecar that it is paid, broadcast. Whatever fails in here is
 * reported and told, and never reaches the webhook: the booking stays paid, and Stripe gets its 200.
 */
final class PaymentNews
{
    /**
     * @param Closure(Closure): void $afterCommit runs its argument once the open transaction is committed, or at once
     * @param Closure(Throwable): void $report tells the app's error reporting
     */
    public function __construct(
        private readonly Outbox $outbox,
        private readonly Identity $identity,
        private readonly Closure $afterCommit,
        private readonly Closure $report,
    ) {
    }

    /**
     * The booking of this payment is paid: tell everybody who waits, once that is committed.
     *
     * @param int|string|null $userId whose booking it is
     * @param callable(): mixed $broadcast broadcasts, with a payload that names the payment
     */
    public function paid(string $paymentIntent, int|string|null $userId, callable $broadcast): void
    {
        $isTold = false;
        $tell = function () use ($paymentIntent, $userId, $broadcast, &$isTold): void {
            if ($isTold) {
                return;
            }
            $isTold = true;
            $this->outbox->add(Ack::paid($paymentIntent, $this->identity->reference($userId)));
            try {
                $broadcast();
            } catch (Throwable $error) {
                $this->outbox->add(Ack::skipped($paymentIntent, SkipReason::Failed));
                $this->report($error);
            }
        };
        try {
            ($this->afterCommit)($tell);
        } catch (Throwable $error) {
            $this->report($error);
            $tell();
        }
    }

    /**
     * Nothing is broadcast for this payment, and this is why.
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
            // Error reporting that fails must not cost a payment either.
        }
    }
}
