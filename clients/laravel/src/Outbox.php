<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Closure;
use Throwable;

/**
 * The facts that wait to be sent to the sidecar. All facts of one flush share one budget, and nothing here throws: a
 * payment must never fail because of this package.
 */
final class Outbox
{
    public const WAITING_MAX = 100;
    public const BUDGET_MS_MAX = 900;

    /** @var list<Fact> */
    private array $waiting = [];

    private readonly int $budgetMs;
    private readonly Closure $nowMs;

    /**
     * @param Closure(string, array<string, mixed>): void $warn logs what was lost, and the reason
     * @param (Closure(): int)|null $nowMs monotonic milliseconds; null: of this machine
     */
    public function __construct(
        private readonly Transport $transport,
        private readonly SendTiming $timing,
        private readonly Closure $warn,
        private readonly ?string $release = null,
        int $budgetMs = 250,
        ?Closure $nowMs = null,
    ) {
        $this->budgetMs = max(1, min($budgetMs, self::BUDGET_MS_MAX));
        $this->nowMs = $nowMs ?? Monotonic::nowMs(...);
    }

    /**
     * Send a fact at the configured time. Null: there is nothing to send.
     */
    public function add(?Fact $fact): void
    {
        if ($fact === null) {
            return;
        }
        if (count($this->waiting) >= self::WAITING_MAX) {
            $this->warn('the outbox is full: ' . self::WAITING_MAX . ' facts wait', 1);

            return;
        }
        $this->waiting[] = $fact;
        try {
            $this->timing->schedule($this->flush(...));
        } catch (Throwable $error) {
            $this->warn($error->getMessage(), 0);
        }
    }

    /**
     * Send all waiting facts, within the budget. A fact that cannot be sent is lost, and logged.
     */
    public function flush(): void
    {
        $facts = $this->waiting;
        $this->waiting = [];
        $deadlineMs = ($this->nowMs)() + $this->budgetMs;
        foreach ($facts as $number => $fact) {
            $leftMs = $deadlineMs - ($this->nowMs)();
            try {
                if ($leftMs <= 0) {
                    throw new Unreachable("not sent within $this->budgetMs ms");
                }
                $this->transport->send($this->fields($fact), $leftMs);
            } catch (Refused $error) {
                $this->warn($error->getMessage(), 1);
            } catch (Throwable $error) {
                $this->warn($error->getMessage(), count($facts) - $number);

                return;
            }
        }
    }

    /**
     * @return array<string, string|list<string>>
     */
    private function fields(Fact $fact): array
    {
        return $fact->fields() + ($this->release === null ? [] : ['release' => $this->release]);
    }

    private function warn(string $reason, int $lost): void
    {
        try {
            ($this->warn)('reverb-sidecar: not sent to the sidecar', ['reason' => $reason, 'lost' => $lost]);
        } catch (Throwable) {
            // A log that cannot be written must not fail a payment either.
        }
    }
}
