<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Closure;
use Throwable;

/**
 * What is still to be told to the sidecar. All that is sent at one moment shares one budget, and nothing here throws:
 * a payment must never fail for our sake.
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
     * @param Closure(string, array<string, mixed>): void $warn tells people what was lost, and why
     * @param (Closure(): int)|null $nowMs monotonic milliseconds; null: of this machine
     */
    public function __construct(
        private readonly Transport $transport,
        private readonly Moment $moment,
        private readonly Closure $warn,
        private readonly ?string $release = null,
        int $budgetMs = 250,
        ?Closure $nowMs = null,
    ) {
        $this->budgetMs = max(1, min($budgetMs, self::BUDGET_MS_MAX));
        $this->nowMs = $nowMs ?? Monotonic::nowMs(...);
    }

    /**
     * Tell the sidecar, when the moment comes. Null: there is nothing to tell.
     */
    public function add(?Fact $fact): void
    {
        if ($fact === null) {
            return;
        }
        if (count($this->waiting) >= self::WAITING_MAX) {
            $this->warn('too many at once', 1);

            return;
        }
        $this->waiting[] = $fact;
        try {
            $this->moment->then($this->flush(...));
        } catch (Throwable $error) {
            $this->warn($error->getMessage(), 0);
        }
    }

    /**
     * Send all that waits, within the budget; what cannot be sent is lost, and people are told.
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

    private function warn(string $why, int $lost): void
    {
        try {
            ($this->warn)('reverb-sidecar: not told to the sidecar', ['why' => $why, 'lost' => $lost]);
        } catch (Throwable) {
            // A log that cannot be written must not cost a payment either.
        }
    }
}
