<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\CircuitBreaker;
use ReverbSidecar\Laravel\Refused;
use ReverbSidecar\Laravel\Tests\Recorder;
use ReverbSidecar\Laravel\Unreachable;

/**
 * The cost to a worker while the sidecar is unreachable.
 */
final class CircuitBreakerTest extends TestCase
{
    private Recorder $transport;
    private CircuitBreaker $breaker;
    private int $nowMs = 0;

    protected function setUp(): void
    {
        $this->transport = new Recorder();
        $this->breaker = new CircuitBreaker($this->transport, fn (): int => $this->nowMs);
    }

    private function trial(): string
    {
        try {
            $this->breaker->send([], 250);
        } catch (Unreachable | Refused $error) {
            return $error->getMessage();
        }

        return 'sent';
    }

    /**
     * After three failures in a row nothing is sent for five seconds, to the millisecond, and then it sends again.
     */
    public function testThreeFailuresInARowPause(): void
    {
        $this->transport->onSend = static fn () => throw new Unreachable('away');
        self::assertSame(['away', 'away', 'away'], [$this->trial(), $this->trial(), $this->trial()]);

        $this->nowMs = 4999;
        self::assertStringContainsString('not sent', $this->trial());
        self::assertCount(3, $this->transport->sent);

        $this->nowMs = 5000;
        $this->transport->onSend = null;
        self::assertSame('sent', $this->trial());
    }

    /**
     * A success between failures resets the count, and so does a refusal, because it is a response.
     */
    public function testOnlyFailuresInARowCount(): void
    {
        $answers = ['away', 'away', null, 'away', 'away', 'refused', 'away', 'away', null];
        $this->transport->onSend = static function () use (&$answers): void {
            match (array_shift($answers)) {
                'away' => throw new Unreachable('away'),
                'refused' => throw new Refused('refused'),
                default => null,
            };
        };
        $results = array_map(fn (): string => $this->trial(), range(1, 9));

        self::assertSame(['away', 'away', 'sent', 'away', 'away', 'refused', 'away', 'away', 'sent'], $results);
    }
}
