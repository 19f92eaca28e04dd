<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Framework;

use Illuminate\Broadcasting\BroadcastException;
use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\Framework\SidecarBroadcaster;
use ReverbSidecar\Laravel\Outbox;
use ReverbSidecar\Laravel\Tests\PaymentEvent;
use ReverbSidecar\Laravel\Tests\World;
use ReverbSidecar\Laravel\Unreachable;
use RuntimeException;
use TypeError;

/**
 * The acks of a broadcast, at once and from a queue; against stand-ins of the framework.
 */
final class BroadcastTest extends TestCase
{
    private const REFERENCE = '95f44b3c5aa592b645d09171b807017a';

    /**
     * One call sends the event to the user and to the sidecar's sockets, and is acked after Reverb's 200.
     */
    public function testABroadcastIsAckedAfterReverbsAnswer(): void
    {
        $world = new World();
        $world->request(static function () use ($world): void {
            PaymentEvent::dispatch(7, 'pi_1');
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
     * A broadcast without a payment keeps its channels and its payload, and is not acked.
     */
    public function testABroadcastWithoutAPaymentIsNotChanged(): void
    {
        $world = new World();
        $world->request(static fn () => PaymentEvent::dispatch(7, null));

        self::assertSame([['private-live-refresh.7'], ['contexts' => ['bookings']]], [
            $world->reverb[0][0],
            $world->reverb[0][2],
        ]);
        self::assertSame([], $world->sidecar->sent);
    }

    /**
     * In a queue worker there is no response: the ack is sent when the job broadcasts.
     */
    public function testInAWorkerTheAckIsSentAtOnce(): void
    {
        $world = new World(isConsole: true);
        PaymentEvent::dispatch(7, 'pi_1');

        self::assertSame(['dispatched'], array_column($world->sidecar->sent, 'stage'));
    }

    /**
     * A broadcast that fails is acked as failed, and the same exception is rethrown, for the queue's retry and report.
     */
    public function testAFailedBroadcastIsAckedAndRethrown(): void
    {
        $world = new World(isConsole: true);
        $world->refuse();
        try {
            PaymentEvent::dispatch(7, 'pi_1');
            self::fail('the broadcast succeeded');
        } catch (BroadcastException $error) {
            self::assertSame($world->reverbThrows, $error);
        }

        self::assertSame(['failed'], array_column($world->sidecar->sent, 'reason'));
        self::assertSame(['pi_1'], array_column($world->sidecar->sent, 'payment_intent'));
    }

    /**
     * Any other failure, such as an invalid socket id or an invalid payload, is acked as failed too.
     */
    public function testEveryOtherFailureIsAckedToo(): void
    {
        $world = new World(isConsole: true);
        $world->reverbThrows = new RuntimeException('Invalid socket ID undefined');
        try {
            PaymentEvent::dispatch(7, 'pi_1');
        } catch (RuntimeException $error) {
            self::assertSame('Invalid socket ID undefined', $error->getMessage());
        }

        self::assertSame(['failed'], array_column($world->sidecar->sent, 'reason'));
    }

    /**
     * A broadcaster that sends nothing dispatches nothing: no payer receives the event.
     */
    public function testALoggedBroadcastIsNotDispatched(): void
    {
        $world = new World(isConsole: true);
        $world->config->set('broadcasting.connections.reverb-sidecar.wraps', 'quiet');
        PaymentEvent::dispatch(7, 'pi_1');

        self::assertSame(['failed'], array_column($world->sidecar->sent, 'reason'));
    }

    /**
     * An unreachable sidecar prevents no broadcast, and neither does an application that cannot make an outbox.
     */
    public function testABrokenSidecarPreventsNoBroadcast(): void
    {
        $world = new World(isConsole: true);
        $world->sidecar->onSend = static fn () => throw new Unreachable('nobody');
        PaymentEvent::dispatch(7, 'pi_1');
        $world->app()->bind(Outbox::class, static fn () => throw new TypeError('no outbox'));
        $world->app()->forgetScopedInstances();
        PaymentEvent::dispatch(7, 'pi_2');

        self::assertSame(['pi_1', 'pi_2'], array_column(array_column($world->reverb, 2), 'payment_intent'));
    }

    /**
     * Under Octane one broadcaster serves many requests: each acks its own payment, once, at its own end.
     */
    public function testNothingIsKeptBetweenRequests(): void
    {
        $world = new World();
        $broadcaster = $world->broadcasting->connection();
        foreach (['pi_1', 'pi_2'] as $number => $payment) {
            $world->request(static fn () => PaymentEvent::dispatch(7, $payment));
            self::assertCount($number + 1, $world->sidecar->sent);
        }

        self::assertSame(['pi_1', 'pi_2'], array_column($world->sidecar->sent, 'payment_intent'));
        self::assertSame($broadcaster, $world->broadcasting->connection());
    }

    /**
     * A request that fails before its end leaves no fact that the next request would send.
     */
    public function testFactsOfAFailedRequestAreNotSentByTheNext(): void
    {
        $world = new World();
        $world->app()->make(Outbox::class);
        try {
            $world->request(static function (): void {
                PaymentEvent::dispatch(7, 'pi_dead');
                throw new RuntimeException('out of memory');
            });
        } catch (RuntimeException) {
            self::assertSame([], $world->sidecar->sent);
        }
        $world->request(static fn () => PaymentEvent::dispatch(7, 'pi_next'));

        self::assertSame(['pi_next'], array_column($world->sidecar->sent, 'payment_intent'));
    }

    /**
     * Every other method is delegated to the wrapped broadcaster, and a method that returns it returns the decorator.
     */
    public function testEveryOtherMethodIsDelegated(): void
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
