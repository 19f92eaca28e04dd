<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Closure;

/**
 * Leaves an unreachable sidecar alone for a while, so that a worker does not pay the whole budget for every fact.
 *
 * It lives as long as its process: in a queue worker and under Octane it helps, under FPM every request begins anew.
 */
final class Pausing implements Transport
{
    public const FAILURES_MAX = 3;
    public const PAUSE_MS = 5000;

    private int $failures = 0;
    private int $untilMs = PHP_INT_MIN;
    private readonly Closure $nowMs;

    /**
     * @param (Closure(): int)|null $nowMs monotonic milliseconds; null: of this machine
     */
    public function __construct(private readonly Transport $transport, ?Closure $nowMs = null)
    {
        $this->nowMs = $nowMs ?? Monotonic::nowMs(...);
    }

    public function send(array $fields, int $withinMs): void
    {
        if (($this->nowMs)() < $this->untilMs) {
            throw new Unreachable('the sidecar was not reachable a moment ago; not tried');
        }
        try {
            $this->transport->send($fields, $withinMs);
            $this->failures = 0;
        } catch (Refused $error) {
            $this->failures = 0;
            throw $error;
        } catch (Unreachable $error) {
            $this->failures++;
            if ($this->failures >= self::FAILURES_MAX) {
                $this->failures = 0;
                $this->untilMs = ($this->nowMs)() + self::PAUSE_MS;
            }
            throw $error;
        }
    }
}
