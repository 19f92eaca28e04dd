<?php

declare(strict_types=1);

namespace App\Actions\Booking;

/**
 * Stand-in for the app's own action: it returns the test's result, and records the confirmed payments.
 */
class ProcessPaymentAction
{
    /** @var list<string> */
    public array $confirmed = [];

    /**
     * @param array<string, mixed> $result
     */
    public function __construct(public array $result)
    {
    }

    /**
     * @return array<string, mixed>
     */
    public function confirmPayment(string $paymentIntentId): array
    {
        if ($this->result['success']) {
            $this->confirmed[] = $paymentIntentId;
        }

        return $this->result;
    }
}
