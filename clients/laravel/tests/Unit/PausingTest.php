<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\Pausing;
use ReverbSidecar\Laravel\Refused;
use ReverbSidecar\Laravel\Tests\Recorder;
use ReverbSidecar\Laravel\Unreachable;

/**
 * What a worker pays while the sidecar is away.
 */
final class PausingTest extends TestCase
{
    private Recorder $transport;
    private Pausing $pausing;
    private int $nowMs = 0;

    protected function setUp(): void
    {
        $this->transport = new Recorder();
        $this->pausing = new Pausing($this->transport, fn (): int => $this->nowMs);
    }

    private function trial(): string
    {
        try {
            $this->pausing->send([], 250);
        } catch (Unreachable | Refused $error) {
            return $error->getMessage();
        }

        return 'sent';
    }

    /**
     * After three failures in a row it is left alone for five seconds, to the millisecond, and then tried again.
     */
    public function testThreeFailuresInARowPause(): void
    {
        $this->transport->does = static fn () => throw new Unreachable('away');
        self::assertSame(['away', 'away', 'away'], [$this->trial(), $this->trial(), $this->trial()]);

        $this->nowMs = 4999;
        self::assertStringContainsString('not tried', $this->trial());
        self::assertCount(3, $this->transport->sent);

        $this->nowMs = 5000;
        $this->transport->does = null;
        self::assertSame('sent', $this->trial());
    }

    /**
     * A success between failures begins the count anew; a refusal shows that somebody is there.
     */
    public function testOnlyFailuresInARowCount(): void
    {
        $answers = ['away', 'away', null, 'away', 'away', 'refused', 'away', 'away', null];
        $this->transport->does = static function () use (&$answers): void {
            match (array_shift($answers)) {
                'away' => throw new Unreachable('away'),
                'refused' => throw new Refused('refused'),
                default => null,
            };
        };
        $said = array_map(fn (): string => $this->trial(), range(1, 9));

        self::assertSame(['away', 'away', 'sent', 'away', 'away', 'refused', 'away', 'away', 'sent'], $said);
    }
}
