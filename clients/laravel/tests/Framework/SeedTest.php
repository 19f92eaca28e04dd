<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Framework;

use App\Actions\Booking\ProcessPaymentAction;
use App\Http\Controllers\Api\StripeWebhookController;
use App\Services\LiveRefreshBroadcastService;
use PHPUnit\Framework\TestCase;
use ReflectionMethod;
use ReverbSidecar\Laravel\PaymentBroadcast;
use ReverbSidecar\Laravel\Tests\World;
use ReverbSidecar\Laravel\Unreachable;
use stdClass;

/**
 * The app's own webhook after the change that README.md shows (`example/after`), in an application of stand-ins.
 */
final class SeedTest extends TestCase
{
    private const REFERENCE = '95f44b3c5aa592b645d09171b807017a';

    /**
     * @param array<string, mixed> $result the result of confirming the payment
     */
    private function webhook(World $world, array $result): ProcessPaymentAction
    {
        $action = new ProcessPaymentAction($result);
        $world->request(static function () use ($world, $action): void {
            $controller = new StripeWebhookController($action, $world->app()->make(PaymentBroadcast::class));
            $handle = new ReflectionMethod($controller, 'handlePaymentIntentSucceeded');
            $handle->invoke($controller, (object) ['id' => 'pi_1']);
        });

        return $action;
    }

    private static function booking(): stdClass
    {
        return (object) ['user_id' => 7];
    }

    /**
     * A payment is confirmed, acked as paid, and broadcast from the queue to its user and to the sidecar in one call.
     */
    public function testAPaymentIsBroadcastToItsUserAndTheSidecarInOneCall(): void
    {
        $world = new World();
        $this->webhook($world, ['success' => true, 'booking' => self::booking()]);

        self::assertSame([['paid', 'pi_1', self::REFERENCE]], array_map(
            static fn (array $ack): array => [$ack['stage'], $ack['payment_intent'], $ack['user_ref']],
            $world->sidecar->sent,
        ));
        self::assertSame([], $world->reverb, 'the queue has it');

        $world->request($world->work(...));
        self::assertSame([[
            ['private-live-refresh.7', 'private-reverb-sidecar'],
            'App\Events\LiveRefreshContextsUpdated',
            ['contexts' => ['bookings'], 'payment_intent' => 'pi_1', 'user_ref' => self::REFERENCE],
        ]], $world->reverb);
    }

    /**
     * The worker acks a broadcast or its failure, and a failed job still fails, so that the queue can retry it.
     */
    public function testTheWorkerAcksWhatItBroadcasts(): void
    {
        $world = new World(isConsole: true);
        $result = ['success' => true, 'booking' => self::booking()];
        $this->webhook($world, $result);
        $world->work();
        $world->refuse();
        $this->webhook($world, $result);
        $world->work();

        self::assertSame(['paid', 'dispatched', 'paid', 'skipped'], array_column($world->sidecar->sent, 'stage'));
        self::assertSame(['failed'], array_column($world->sidecar->sent, 'reason'));
        self::assertSame(['Pusher error: cURL error 7.'], $world->reported);
    }

    /**
     * Nothing is acked or broadcast before the transaction around the webhook is committed.
     */
    public function testNothingIsSentBeforeTheCommit(): void
    {
        $world = new World(isConsole: true);
        $world->transaction = [];
        $this->webhook($world, ['success' => true, 'booking' => self::booking()]);
        self::assertSame([[], []], [$world->sidecar->sent, $world->queue]);

        $world->commit();
        self::assertSame([1, 1], [count($world->sidecar->sent), count($world->queue)]);
    }

    /**
     * The booking is paid and the webhook succeeds if the queue, Reverb, the sidecar or all of them fail.
     */
    public function testTheBookingIsPaidWhateverFails(): void
    {
        $world = new World();
        $world->isQueueDown = true;
        $world->sidecar->onSend = static fn () => throw new Unreachable('nobody');
        $action = $this->webhook($world, ['success' => true, 'booking' => self::booking()]);

        self::assertSame(['pi_1'], $action->confirmed);
        self::assertSame(['Connection to the queue refused'], $world->reported);
        self::assertSame([['reason' => 'nobody', 'lost' => 2]], array_column($world->logged, 1));
    }

    /**
     * A broadcast that cannot be queued is acked as failed.
     */
    public function testAQueueThatIsDownIsAckedAsFailed(): void
    {
        $world = new World();
        $world->isQueueDown = true;
        $this->webhook($world, ['success' => true, 'booking' => self::booking()]);

        self::assertSame(['paid', 'skipped'], array_column($world->sidecar->sent, 'stage'));
        self::assertSame(['failed'], array_column($world->sidecar->sent, 'reason'));
    }

    /**
     * A skipped broadcast is acked with its reason, and the app's own warning is still logged.
     *
     * @dataProvider results
     * @param array<string, mixed> $result
     */
    public function testASkippedBroadcastIsAckedWithItsReason(array $result, string $reason, int $warnings): void
    {
        $world = new World();
        $this->webhook($world, $result);

        self::assertSame([$reason], array_column($world->sidecar->sent, 'reason'));
        self::assertSame([], $world->queue);
        self::assertCount($warnings, $world->logged);
    }

    /**
     * @return iterable<string, array{array<string, mixed>, string, int}>
     */
    public static function results(): iterable
    {
        yield 'not confirmed' => [['success' => false], 'failed', 1];
        yield 'no booking' => [['success' => true], 'no_booking', 0];
    }

    /**
     * All other live refreshes are unchanged: the same channels, the same payload, no ack.
     */
    public function testOtherRefreshesAreUnchanged(): void
    {
        $world = new World(isConsole: true);
        LiveRefreshBroadcastService::notify(['children'], [7, 8], true);
        $world->work();

        self::assertSame([[
            ['private-live-refresh.7', 'private-live-refresh.8', 'private-live-refresh.admin'],
            'App\Events\LiveRefreshContextsUpdated',
            ['contexts' => ['children']],
        ]], $world->reverb);
        self::assertSame([], $world->sidecar->sent);
    }
}
