<?php

namespace App\Http\Controllers\Api;

use App\Actions\Booking\ProcessPaymentAction;
use App\Services\LiveRefreshBroadcastService;
use Illuminate\Support\Facades\Log;
use ReverbSidecar\Laravel\PaymentBroadcast;
use ReverbSidecar\Laravel\SkipReason;

class StripeWebhookController
{
    public function __construct(
        private ProcessPaymentAction $processPaymentAction,
        private PaymentBroadcast $paymentBroadcast,
    ) {
    }

    private function handlePaymentIntentSucceeded($paymentIntent): void
    {
        $paymentIntentId = $paymentIntent->id;

        $result = $this->processPaymentAction->confirmPayment($paymentIntentId);

        if (!$result['success']) {
            Log::warning('Failed to confirm payment after webhook', ['payment_intent_id' => $paymentIntentId]);
            $this->paymentBroadcast->skipped($paymentIntentId, SkipReason::Failed);
        } elseif (!isset($result['booking'])) {
            $this->paymentBroadcast->skipped($paymentIntentId, SkipReason::NoBooking);
        } else {
            $userId = $result['booking']->user_id;
            $this->paymentBroadcast->paid($paymentIntentId, $userId, fn () => LiveRefreshBroadcastService::notify(
                [LiveRefreshController::CONTEXT_BOOKINGS],
                [$userId],
                false,
                $paymentIntentId,
            ));
        }
    }
}
