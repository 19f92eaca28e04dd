<?php

namespace App\Http\Controllers\Api;

use App\Actions\Booking\ProcessPaymentAction;
use Illuminate\Support\Facades\Log;

class StripeWebhookController
{
    public function __construct(
        private ProcessPaymentAction $processPaymentAction,
    ) {
    }

    private function handlePaymentIntentSucceeded($paymentIntent): void
    {
        $paymentIntentId = $paymentIntent->id;

        $result = $this->processPaymentAction->confirmPayment($paymentIntentId);

        if (!$result['success']) {
            Log::warning('Failed to confirm payment after webhook', ['payment_intent_id' => $paymentIntentId]);
        }
    }
}
