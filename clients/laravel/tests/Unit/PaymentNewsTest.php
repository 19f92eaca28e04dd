<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use Closure;
use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\AtOnce;
use ReverbSidecar\Laravel\Identity;
use ReverbSidecar\Laravel\Outbox;
use ReverbSidecar\Laravel\PaymentNews;
use ReverbSidecar\Laravel\SkipReason;
use ReverbSidecar\Laravel\Tests\Recorder;
use RuntimeException;
use Throwable;

/**
 * The order of things after a payment, and that nothing of it reaches the webhook.
 */
final class PaymentNewsTest extends TestCase
{
    private Recorder $transport;

    /** @var list<string> */
    private array $happened = [];

    protected function setUp(): void
    {
        $this->transport = new Recorder();
        $this->transport->does = function (array $fields): void {
            $this->happened[] = $fields['stage'] . ' ' . ($fields['reason'] ?? '');
        };
    }

    private function news(?Closure $afterCommit = null, ?Closure $report = null): PaymentNews
    {
        return new PaymentNews(
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
     * Nothing is told or broadcast before the commit; then paid first, and the broadcast after it.
     */
    public function testCommitThenPaidThenBroadcast(): void
    {
        $committing = [];
        $afterCommit = static function (Closure $work) use (&$committing): void {
            $committing[] = $work;
        };
        $this->news($afterCommit)->paid('pi_1', 7, $this->broadcast(...));
        self::assertSame([], $this->happened);

        array_map(static fn (Closure $work) => $work(), $committing);
        self::assertSame(['paid ', 'broadcast'], $this->happened);
        self::assertSame('95f44b3c5aa592b645d09171b807017a', $this->transport->sent[0]['user_ref']);
    }

    /**
     * A transaction that is rolled back tells nobody anything.
     */
    public function testARollbackTellsNothing(): void
    {
        $this->news(static function (): void {
        })->paid('pi_1', 7, $this->broadcast(...));

        self::assertSame([], $this->happened);
    }

    /**
     * A broadcast that fails is acked as failed and reported, and never thrown at the webhook.
     */
    public function testAFailedBroadcastIsToldReportedAndContained(): void
    {
        $this->news()->paid('pi_1', 7, static fn () => throw new RuntimeException('Pusher error'));

        self::assertSame(['paid ', 'skipped failed', 'reported Pusher error'], $this->happened);
    }

    /**
     * Error reporting that fails itself is contained as well.
     */
    public function testEvenABrokenErrorReportingIsContained(): void
    {
        $broken = static fn () => throw new RuntimeException('no reporting');
        $this->news(report: $broken)->paid('pi_1', 7, static fn () => throw new RuntimeException('Pusher error'));

        self::assertSame(['paid ', 'skipped failed'], $this->happened);
    }

    /**
     * Where nothing tells of commits, the payer is told at once rather than never, and people learn of it.
     */
    public function testWithoutATransactionsManagerThePayerIsToldAtOnce(): void
    {
        $none = static fn () => throw new RuntimeException('Transactions Manager has not been set.');
        $this->news($none)->paid('pi_1', 7, $this->broadcast(...));

        self::assertSame(
            ['reported Transactions Manager has not been set.', 'paid ', 'broadcast'],
            $this->happened,
        );
    }

    /**
     * The payer is told once, even where the one who tells of commits fails after telling.
     */
    public function testThePayerIsToldOnce(): void
    {
        $twice = static function (Closure $work): void {
            $work();
            throw new RuntimeException('afterwards');
        };
        $this->news($twice)->paid('pi_1', 7, $this->broadcast(...));

        self::assertSame(['paid ', 'broadcast', 'reported afterwards'], $this->happened);
    }

    /**
     * What is not broadcast is told with its reason.
     *
     * @dataProvider reasons
     */
    public function testWhatIsSkippedIsToldWithItsReason(SkipReason $reason, string $expected): void
    {
        $this->news()->skipped('pi_1', $reason);

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
