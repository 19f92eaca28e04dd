<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Framework;

use Illuminate\Broadcasting\BroadcastException;
use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\Framework\SidecarBroadcaster;
use ReverbSidecar\Laravel\Outbox;
use ReverbSidecar\Laravel\Tests\PaymentBroadcast;
use ReverbSidecar\Laravel\Tests\World;
use ReverbSidecar\Laravel\Unreachable;
use RuntimeException;
use TypeError;

/**
 * What is acked of a broadcast, whichever way it comes to the broadcaster; against stand-ins of the framework.
 */
final class BroadcastTest extends TestCase
{
    private const REFERENCE = '95f44b3c5aa592b645d09171b807017a';

    /**
     * The same event in the same call goes to the user and to the sidecar's sockets, and is acked after Reverb's 200.
     */
    public function testABroadcastIsAckedAfterReverbsAnswer(): void
    {
        $world = new World();
        $world->request(static function () use ($world): void {
            PaymentBroadcast::dispatch(7, 'pi_1');
            self::assertSame([], $world->sidecar->sent, 'not before the response');
        });

        self::assertCount(1, $world->reverb);
        [$channels, , $payload] = $world->reverb[0];
        self::assertSame(['private-live-refresh.7', 'private-reverb-sidecar'], $channels);
        self::assertSame(
            ['contexts' => ['bookings'], 'payment_intent' => 'pi_1', 'user_ref' => self::REFERENCE],
            $payload,
        );
        self::assertSame([[
            'stage' => 'dispatched',
            'payment_intent' => 'pi_1',
            'user_ref' => self::REFERENCE,
            'contexts' => ['bookings'],
            'release' => 'v1',
        ]], $world->sidecar->sent);
    }

    /**
     * A broadcast that is about no payment goes where it went before, says what it said, and is not acked.
     */
    public function testABroadcastOfNoPaymentIsNotTouched(): void
    {
        $world = new World();
        $world->request(static fn () => PaymentBroadcast::dispatch(7, null));

        self::assertSame([['private-live-refresh.7'], ['contexts' => ['bookings']]], [
            $world->reverb[0][0],
            $world->reverb[0][2],
        ]);
        self::assertSame([], $world->sidecar->sent);
    }

    /**
     * In a queue worker there is no response: the ack is sent where the job broadcasts.
     */
    public function testInAWorkerTheAckIsSentAtOnce(): void
    {
        $world = new World(isConsole: true);
        PaymentBroadcast::dispatch(7, 'pi_1');

        self::assertSame(['dispatched'], array_column($world->sidecar->sent, 'stage'));
    }

    /**
     * A broadcast that fails is acked as failed, and the very exception goes on, for the queue's retry and its report.
     */
    public function testAFailedBroadcastIsAckedAndThrownOn(): void
    {
        $world = new World(isConsole: true);
        $world->refuse();
        try {
            PaymentBroadcast::dispatch(7, 'pi_1');
            self::fail('it went through');
        } catch (BroadcastException $error) {
            self::assertSame($world->reverbThrows, $error);
        }

        self::assertSame(['failed'], array_column($world->sidecar->sent, 'reason'));
        self::assertSame(['pi_1'], array_column($world->sidecar->sent, 'payment_intent'));
    }

    /**
     * So is one that fails otherwise: a socket id that is none, a payload that is no JSON.
     */
    public function testEveryOtherFailureIsAckedToo(): void
    {
        $world = new World(isConsole: true);
        $world->reverbThrows = new RuntimeException('Invalid socket ID undefined');
        try {
            PaymentBroadcast::dispatch(7, 'pi_1');
        } catch (RuntimeException $error) {
            self::assertSame('Invalid socket ID undefined', $error->getMessage());
        }

        self::assertSame(['failed'], array_column($world->sidecar->sent, 'reason'));
    }

    /**
     * A broadcaster that only pretends to broadcast dispatches nothing: no payer hears of it.
     */
    public function testWhatIsOnlyLoggedIsNotDispatched(): void
    {
        $world = new World(isConsole: true);
        $world->config->set('broadcasting.connections.reverb-sidecar.wraps', 'quiet');
        PaymentBroadcast::dispatch(7, 'pi_1');

        self::assertSame(['failed'], array_column($world->sidecar->sent, 'reason'));
    }

    /**
     * A sidecar that is away costs no broadcast, and an application that cannot even make an outbox costs none either.
     */
    public function testABrokenSidecarCostsNoBroadcast(): void
    {
        $world = new World(isConsole: true);
        $world->sidecar->does = static fn () => throw new Unreachable('nobody');
        PaymentBroadcast::dispatch(7, 'pi_1');
        $world->app()->bind(Outbox::class, static fn () => throw new TypeError('no outbox'));
        $world->app()->forgetScopedInstances();
        PaymentBroadcast::dispatch(7, 'pi_2');

        self::assertSame(['pi_1', 'pi_2'], array_column(array_column($world->reverb, 2), 'payment_intent'));
    }

    /**
     * Under Octane one broadcaster serves many requests: each tells of its own payment, once, at its own end.
     */
    public function testNothingIsKeptBetweenRequests(): void
    {
        $world = new World();
        $broadcaster = $world->broadcasting->connection();
        foreach (['pi_1', 'pi_2'] as $number => $payment) {
            $world->request(static fn () => PaymentBroadcast::dispatch(7, $payment));
            self::assertCount($number + 1, $world->sidecar->sent);
        }

        self::assertSame(['pi_1', 'pi_2'], array_column($world->sidecar->sent, 'payment_intent'));
        self::assertSame($broadcaster, $world->broadcasting->connection());
    }

    /**
     * A request that dies before its end leaves nothing behind for the next one to tell.
     */
    public function testWhatADeadRequestLeftIsNotToldByTheNext(): void
    {
        $world = new World();
        $world->app()->make(Outbox::class);
        try {
            $world->request(static function (): void {
                PaymentBroadcast::dispatch(7, 'pi_dead');
                throw new RuntimeException('out of memory');
            });
        } catch (RuntimeException) {
            self::assertSame([], $world->sidecar->sent);
        }
        $world->request(static fn () => PaymentBroadcast::dispatch(7, 'pi_next'));

        self::assertSame(['pi_next'], array_column($world->sidecar->sent, 'payment_intent'));
    }

    /**
     * Whatever else is asked of a broadcaster goes to the wrapped one, and what returns itself returns the decorator.
     */
    public function testEverythingElseIsHandedOver(): void
    {
        $world = new World();
        $yes = static fn (): bool => true;
        $broadcaster = $world->broadcasting->connection();

        self::assertInstanceOf(SidecarBroadcaster::class, $broadcaster);
        self::assertSame($broadcaster, $world->broadcasting->channel('live-refresh.{userId}', $yes));
        self::assertSame(['live-refresh.{userId}' => $yes], $broadcaster->getChannels());
        self::assertSame(['live-refresh.{userId}' => $yes], $world->broadcasting->connection('reverb')->getChannels());
    }
}
