<?php

/**
 * Run the app of the example, with the configuration file and the environment, against a real sidecar.
 *
 * Print as JSON how long each request took, from its start to the end of the work after its response, the log, and a
 * browser token.
 */

declare(strict_types=1);

use App\Actions\Booking\ProcessPaymentAction;
use App\Http\Controllers\Api\StripeWebhookController;
use Illuminate\Http\Request;
use ReverbSidecar\Laravel\BrowserToken;
use ReverbSidecar\Laravel\Monotonic;
use ReverbSidecar\Laravel\PaymentBroadcast;
use ReverbSidecar\Laravel\Tests\User;
use ReverbSidecar\Laravel\Tests\World;

require dirname(__DIR__) . '/bootstrap.php';

$world = new World(null, isRecorded: false);
$took = [];
$timed = static function (string $name, Closure $work) use ($world, &$took): void {
    $since = Monotonic::nowMs();
    $world->request($work);
    $took[] = [$name, Monotonic::nowMs() - $since];
};
$webhook = static function (string $payment, array $result) use ($world, $timed): void {
    $timed("webhook $payment", static function () use ($world, $payment, $result): void {
        $payments = $world->app()->make(PaymentBroadcast::class);
        $controller = new StripeWebhookController(new ProcessPaymentAction($result), $payments);
        $handle = new ReflectionMethod($controller, 'handlePaymentIntentSucceeded');
        $handle->invoke($controller, (object) ['id' => $payment]);
    });
};
$auth = static function (string $channel, ?int $userId) use ($world, $timed): void {
    $timed("auth $channel " . ($userId ?? 'guest'), static function () use ($world, $channel, $userId): void {
        $users = $userId === null ? [] : ['web' => new User($userId)];
        try {
            $world->broadcasting->auth(new Request(['channel_name' => $channel], $users));
        } catch (RuntimeException) {
            // The browser gets its 403.
        }
    });
};

$paid = ['success' => true, 'booking' => (object) ['user_id' => 7]];
$webhook('pi_good', $paid);
$timed('worker', $world->work(...));
$webhook('pi_bad', $paid);
$world->refuse();
$timed('worker again', $world->work(...));
$webhook('pi_unconfirmed', ['success' => false]);
$webhook('pi_gift', ['success' => true]);

$auth('private-live-refresh.7', 7);
$isOwn = static fn (User $user, string $id): bool => $user->id === (int) $id;
$world->broadcasting->channel('live-refresh.{userId}', $isOwn);
$auth('private-live-refresh.7', 7);
$auth('private-live-refresh.7', null);
$auth('private-live-refresh.7', 8);
$auth('private-chat.7', 7);

$token = $world->app()->make(BrowserToken::class)->of(7);
echo json_encode(['took_ms' => $took, 'logged' => $world->logged, 'token' => $token], JSON_THROW_ON_ERROR), "\n";
