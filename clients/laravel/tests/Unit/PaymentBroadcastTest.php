<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use Closure;
use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\AtOnce;
use ReverbSidecar\Laravel\Identity;
use ReverbSidecar\Laravel\Outbox;
use ReverbSidecar\Laravel\PaymentBroadcast;
use ReverbSidecar\Laravel\SkipReason;
use ReverbSidecar\Laravel\Tests\Recorder;
use RuntimeException;
use Throwable;

/**
 * The order of the steps after a payment, and that no failure of them reaches the webhook.
 */
final class PaymentBroadcastTest extends TestCase
{
    private Recorder $transport;

    /** @var list<string> */
    private array $happened = [];

    protected function setUp(): void
    {
        $this->transport = new Recorder();
        $this->transport->onSend = function (array $fields): void {
            $this->happened[] = $fields['stage'] . ' ' . ($fields['reason'] ?? '');
        };
    }

    private function payments(?Closure $afterCommit = null, ?Closure $report = null): PaymentBroadcast
    {
        return new PaymentBroadcast(
            new Outbox($this->transport, new AtOnce(), static function (): void {
            }),
            new Identity('identity-key-for-the-vectors-0123456789'),
            $afterCommit ?? static fn (Closure $work) => $work(),
            $report ?? function (Throwable $error): void {
                $this->happened[] = 'reported ' . $error->getMessage();
            },
        );
    }

    private function broadcast(): void
    {
        $this->happened[] = 'broadcast';
    }

    /**
     * Nothing is acked or broadcast before the commit; then `paid` is acked first, and the broadcast follows.
     */
    public function testCommitThenPaidThenBroadcast(): void
    {
        $committing = [];
        $afterCommit = static function (Closure $work) use (&$committing): void {
            $committing[] = $work;
        };
        $this->payments($afterCommit)->paid('pi_1', 7, $this->broadcast(...));
        self::assertSame([], $this->happened);

        array_map(static fn (Closure $work) => $work(), $committing);
        self::assertSame(['paid ', 'broadcast'], $this->happened);
        self::assertSame('95f44b3c5aa592b645d09171b807017a', $this->transport->sent[0]['user_ref']);
    }

    /**
     * A transaction that is rolled back acks and broadcasts nothing.
     */
    public function testARollbackSendsNothing(): void
    {
        $this->payments(static function (): void {
        })->paid('pi_1', 7, $this->broadcast(...));

        self::assertSame([], $this->happened);
    }

    /**
     * A broadcast that fails is acked as failed and reported, and never thrown at the webhook.
     */
    public function testAFailedBroadcastIsAckedReportedAndContained(): void
    {
        $this->payments()->paid('pi_1', 7, static fn () => throw new RuntimeException('Pusher error'));

        self::assertSame(['paid ', 'skipped failed', 'reported Pusher error'], $this->happened);
    }

    /**
     * Error reporting that fails itself is contained as well.
     */
    public function testEvenABrokenErrorReportingIsContained(): void
    {
        $broken = static fn () => throw new RuntimeException('no reporting');
        $this->payments(report: $broken)->paid('pi_1', 7, static fn () => throw new RuntimeException('Pusher error'));

        self::assertSame(['paid ', 'skipped failed'], $this->happened);
    }

    /**
     * Without a transactions manager the broadcast is sent at once rather than never, and the error is reported.
     */
    public function testWithoutATransactionsManagerTheBroadcastIsSentAtOnce(): void
    {
        $none = static fn () => throw new RuntimeException('Transactions Manager has not been set.');
        $this->payments($none)->paid('pi_1', 7, $this->broadcast(...));

        self::assertSame(
            ['reported Transactions Manager has not been set.', 'paid ', 'broadcast'],
            $this->happened,
        );
    }

    /**
     * The broadcast is sent once, even if the commit hook fails after running it.
     */
    public function testTheBroadcastIsSentOnce(): void
    {
        $twice = static function (Closure $work): void {
            $work();
            throw new RuntimeException('afterwards');
        };
        $this->payments($twice)->paid('pi_1', 7, $this->broadcast(...));

        self::assertSame(['paid ', 'broadcast', 'reported afterwards'], $this->happened);
    }

    /**
     * A skipped broadcast is acked with its reason.
     *
     * @dataProvider reasons
     */
    public function testASkippedBroadcastIsAckedWithItsReason(SkipReason $reason, string $expected): void
    {
        $this->payments()->skipped('pi_1', $reason);

        self::assertSame(["skipped $expected"], $this->happened);
    }

    /**
     * @return iterable<array{SkipReason, string}>
     */
    public static function reasons(): iterable
    {
        yield [SkipReason::AlreadyPaid, 'already_paid'];
        yield [SkipReason::NoBooking, 'no_booking'];
        yield [SkipReason::Failed, 'failed'];
    }
}
