<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\Ack;
use ReverbSidecar\Laravel\AtOnce;
use ReverbSidecar\Laravel\SendTiming;
use ReverbSidecar\Laravel\Outbox;
use ReverbSidecar\Laravel\Refused;
use ReverbSidecar\Laravel\Tests\ManualTiming;
use ReverbSidecar\Laravel\Tests\Recorder;
use ReverbSidecar\Laravel\Unreachable;
use RuntimeException;

/**
 * Which facts are sent, when and at what cost, and how lost ones are logged.
 */
final class OutboxTest extends TestCase
{
    private Recorder $transport;
    private int $nowMs = 5000;

    /** @var list<array<string, mixed>> */
    private array $warnings = [];

    protected function setUp(): void
    {
        $this->transport = new Recorder();
    }

    private function outbox(SendTiming $timing, int $budgetMs = 250, ?string $release = null): Outbox
    {
        $warn = function (string $message, array $fields): void {
            $this->warnings[] = $fields;
        };

        return new Outbox($this->transport, $timing, $warn, $release, $budgetMs, fn (): int => $this->nowMs);
    }

    /**
     * @return list<string>
     */
    private function payments(): array
    {
        return array_column($this->transport->sent, 'payment_intent');
    }

    /**
     * Nothing is sent before the configured time, and then everything, once, in the order in which it was added.
     */
    public function testFactsWaitForTheirTimeAndKeepTheirOrder(): void
    {
        $timing = new ManualTiming();
        $outbox = $this->outbox($timing);
        $outbox->add(Ack::paid('pi_1'));
        $outbox->add(null);
        $outbox->add(Ack::paid('pi_2'));

        self::assertSame([], $this->payments());
        $timing->fire();
        self::assertSame(['pi_1', 'pi_2'], $this->payments());
    }

    /**
     * In a queue worker there is no response to wait for: each fact is sent when it is added.
     */
    public function testAtOnceSendsWhenAdded(): void
    {
        $this->outbox(new AtOnce())->add(Ack::paid('pi_1'));

        self::assertSame(['pi_1'], $this->payments());
    }

    /**
     * The release marker, if known, is in every fact.
     */
    public function testTheReleaseIsInEveryFact(): void
    {
        $this->outbox(new AtOnce(), release: '5f2c9e7a1b30')->add(Ack::paid('pi_1'));
        $this->outbox(new AtOnce())->add(Ack::paid('pi_2'));

        self::assertSame('5f2c9e7a1b30', $this->transport->sent[0]['release']);
        self::assertArrayNotHasKey('release', $this->transport->sent[1]);
    }

    /**
     * All facts of one flush share one budget: the second gets what the first left, and then nothing is sent.
     */
    public function testOneFlushHasOneBudget(): void
    {
        $timing = new ManualTiming();
        $outbox = $this->outbox($timing, 250);
        $this->transport->onSend = function (): void {
            $this->nowMs += 125;
        };
        array_map(static fn (int $number) => $outbox->add(Ack::paid("pi_$number")), range(1, 4));
        $timing->fire();

        self::assertSame([250, 125], $this->transport->budgets);
        self::assertSame([['reason' => 'not sent within 250 ms', 'lost' => 2]], $this->warnings);
    }

    /**
     * No configuration makes the budget a second or more, or none.
     *
     * @testWith [5000, 900]
     *           [900, 900]
     *           [0, 1]
     *           [-1, 1]
     */
    public function testTheBudgetStaysBelowASecond(int $configured, int $expected): void
    {
        $this->outbox(new AtOnce(), $configured)->add(Ack::paid('pi_1'));

        self::assertSame([$expected], $this->transport->budgets);
    }

    /**
     * If the sidecar is unreachable, the other facts are not sent either, and the log contains their number.
     */
    public function testAnUnreachableSidecarGetsOneRequestPerFlush(): void
    {
        $timing = new ManualTiming();
        $outbox = $this->outbox($timing);
        $this->transport->onSend = static fn () => throw new Unreachable('nobody');
        array_map(static fn (int $number) => $outbox->add(Ack::paid("pi_$number")), range(1, 3));
        $timing->fire();

        self::assertSame(['pi_1'], $this->payments());
        self::assertSame([['reason' => 'nobody', 'lost' => 3]], $this->warnings);
    }

    /**
     * A refused fact does not prevent the others.
     */
    public function testARefusedFactDoesNotPreventTheOthers(): void
    {
        $timing = new ManualTiming();
        $outbox = $this->outbox($timing);
        $this->transport->onSend = static function (array $fields): void {
            if ($fields['payment_intent'] === 'pi_1') {
                throw new Refused('400');
            }
        };
        $outbox->add(Ack::paid('pi_1'));
        $outbox->add(Ack::paid('pi_2'));
        $timing->fire();

        self::assertSame(['pi_1', 'pi_2'], $this->payments());
        self::assertSame([['reason' => '400', 'lost' => 1]], $this->warnings);
    }

    /**
     * A failure of the transport, the timing or the log is never thrown at the payment.
     */
    public function testNothingIsEverThrown(): void
    {
        $this->transport->onSend = static fn () => throw new RuntimeException('an unexpected exception');
        $brokenTiming = new class implements SendTiming {
            public function schedule(\Closure $send): void
            {
                throw new RuntimeException('no application');
            }
        };
        $noLog = new Outbox($this->transport, new AtOnce(), static fn () => throw new RuntimeException('disk full'));

        $this->outbox(new AtOnce())->add(Ack::paid('pi_1'));
        $this->outbox($brokenTiming)->add(Ack::paid('pi_2'));
        $noLog->add(Ack::paid('pi_3'));

        self::assertSame(['pi_1', 'pi_3'], $this->payments());
        self::assertCount(2, $this->warnings);
    }

    /**
     * The outbox holds a hundred facts, logs each one beyond, and sends the hundred.
     */
    public function testTheOutboxIsBounded(): void
    {
        $timing = new ManualTiming();
        $outbox = $this->outbox($timing);
        array_map(static fn (int $number) => $outbox->add(Ack::paid("pi_$number")), range(1, 101));
        $timing->fire();

        self::assertCount(100, $this->transport->sent);
        self::assertSame([['reason' => 'the outbox is full: 100 facts wait', 'lost' => 1]], $this->warnings);
    }

    /**
     * A lost fact is not sent again later, because its time would be wrong.
     */
    public function testALostFactIsNotSentAgain(): void
    {
        $this->transport->onSend = static fn () => throw new Unreachable('nobody');
        $outbox = $this->outbox(new AtOnce());
        $outbox->add(Ack::paid('pi_1'));
        $this->transport->onSend = null;
        $outbox->add(Ack::paid('pi_2'));

        self::assertSame(['pi_1', 'pi_2'], $this->payments());
    }
}
