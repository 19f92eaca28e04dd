<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\Ack;
use ReverbSidecar\Laravel\AtOnce;
use ReverbSidecar\Laravel\Moment;
use ReverbSidecar\Laravel\Outbox;
use ReverbSidecar\Laravel\Refused;
use ReverbSidecar\Laravel\Tests\Kept;
use ReverbSidecar\Laravel\Tests\Recorder;
use ReverbSidecar\Laravel\Unreachable;
use RuntimeException;

/**
 * What is told, when, at what cost, and what becomes of what cannot be.
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

    private function outbox(Moment $moment, int $budgetMs = 250, ?string $release = null): Outbox
    {
        $warn = function (string $message, array $fields): void {
            $this->warnings[] = $fields;
        };

        return new Outbox($this->transport, $moment, $warn, $release, $budgetMs, fn (): int => $this->nowMs);
    }

    /**
     * @return list<string>
     */
    private function payments(): array
    {
        return array_column($this->transport->sent, 'payment_intent');
    }

    /**
     * Nothing is sent before the moment, and then everything, once, in the order in which it was told.
     */
    public function testFactsWaitForTheirMomentAndKeepTheirOrder(): void
    {
        $moment = new Kept();
        $outbox = $this->outbox($moment);
        $outbox->add(Ack::paid('pi_1'));
        $outbox->add(null);
        $outbox->add(Ack::paid('pi_2'));

        self::assertSame([], $this->payments());
        $moment->come();
        self::assertSame(['pi_1', 'pi_2'], $this->payments());
    }

    /**
     * In a queue worker there is nothing to wait for: each fact is sent where it is told.
     */
    public function testAtOnceIsAtOnce(): void
    {
        $this->outbox(new AtOnce())->add(Ack::paid('pi_1'));

        self::assertSame(['pi_1'], $this->payments());
    }

    /**
     * The release marker is in every fact, where one is known.
     */
    public function testTheReleaseIsInEveryFact(): void
    {
        $this->outbox(new AtOnce(), release: '5f2c9e7a1b30')->add(Ack::paid('pi_1'));
        $this->outbox(new AtOnce())->add(Ack::paid('pi_2'));

        self::assertSame('5f2c9e7a1b30', $this->transport->sent[0]['release']);
        self::assertArrayNotHasKey('release', $this->transport->sent[1]);
    }

    /**
     * All facts of one moment share one budget: the second gets what the first left, and after that nothing is tried.
     */
    public function testOneMomentHasOneBudget(): void
    {
        $moment = new Kept();
        $outbox = $this->outbox($moment, 250);
        $this->transport->does = function (): void {
            $this->nowMs += 125;
        };
        array_map(static fn (int $number) => $outbox->add(Ack::paid("pi_$number")), range(1, 4));
        $moment->come();

        self::assertSame([250, 125], $this->transport->budgets);
        self::assertSame([['why' => 'not sent within 250 ms', 'lost' => 2]], $this->warnings);
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
     * Where nobody answers, the rest is not tried either, and people are told how much was lost.
     */
    public function testAnUnreachableSidecarIsTriedOncePerMoment(): void
    {
        $moment = new Kept();
        $outbox = $this->outbox($moment);
        $this->transport->does = static fn () => throw new Unreachable('nobody');
        array_map(static fn (int $number) => $outbox->add(Ack::paid("pi_$number")), range(1, 3));
        $moment->come();

        self::assertSame(['pi_1'], $this->payments());
        self::assertSame([['why' => 'nobody', 'lost' => 3]], $this->warnings);
    }

    /**
     * A fact that is refused costs only itself.
     */
    public function testARefusedFactDoesNotCostTheOthers(): void
    {
        $moment = new Kept();
        $outbox = $this->outbox($moment);
        $this->transport->does = static function (array $fields): void {
            if ($fields['payment_intent'] === 'pi_1') {
                throw new Refused('400');
            }
        };
        $outbox->add(Ack::paid('pi_1'));
        $outbox->add(Ack::paid('pi_2'));
        $moment->come();

        self::assertSame(['pi_1', 'pi_2'], $this->payments());
        self::assertSame([['why' => '400', 'lost' => 1]], $this->warnings);
    }

    /**
     * Whatever fails — sending, waiting, warning — nothing is thrown at the payment.
     */
    public function testNothingIsEverThrown(): void
    {
        $this->transport->does = static fn () => throw new RuntimeException('of a kind that nobody expects');
        $noMoment = new class implements Moment {
            public function then(\Closure $send): void
            {
                throw new RuntimeException('no application');
            }
        };
        $noLog = new Outbox($this->transport, new AtOnce(), static fn () => throw new RuntimeException('disk full'));

        $this->outbox(new AtOnce())->add(Ack::paid('pi_1'));
        $this->outbox($noMoment)->add(Ack::paid('pi_2'));
        $noLog->add(Ack::paid('pi_3'));

        self::assertSame(['pi_1', 'pi_3'], $this->payments());
        self::assertCount(2, $this->warnings);
    }

    /**
     * It holds a hundred facts, says when more are told, and sends the hundred.
     */
    public function testItIsBounded(): void
    {
        $moment = new Kept();
        $outbox = $this->outbox($moment);
        array_map(static fn (int $number) => $outbox->add(Ack::paid("pi_$number")), range(1, 101));
        $moment->come();

        self::assertCount(100, $this->transport->sent);
        self::assertSame([['why' => 'too many at once', 'lost' => 1]], $this->warnings);
    }

    /**
     * What was lost is not sent again at a later moment, when it would say the wrong time.
     */
    public function testWhatWasLostStaysLost(): void
    {
        $this->transport->does = static fn () => throw new Unreachable('nobody');
        $outbox = $this->outbox(new AtOnce());
        $outbox->add(Ack::paid('pi_1'));
        $this->transport->does = null;
        $outbox->add(Ack::paid('pi_2'));

        self::assertSame(['pi_1', 'pi_2'], $this->payments());
    }
}
