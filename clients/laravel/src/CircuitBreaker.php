<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Closure;

/**
 * Stop sending to an unreachable sidecar for a while, so that a worker does not spend the whole budget on every fact.
 *
 * Its state lasts as long as the process: in a queue worker and under Octane. Under FPM it is reset by each request.
 */
final class CircuitBreaker implements Transport
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
            throw new Unreachable(
                'not sent: ' . self::FAILURES_MAX . ' requests in a row failed less than ' . self::PAUSE_MS . ' ms ago'
            );
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
