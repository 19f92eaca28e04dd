<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Closure;

/**
 * Add facts to a Redis stream, which survives a restart of either side. The stream is trimmed by age, never by length.
 */
final class RedisStream implements Transport
{
    public const NAME = 'broadcast-acks';
    private const KEPT_MS = 4 * 24 * 3600 * 1000;

    private readonly Closure $wallMs;

    /**
     * @param (Closure(): int)|null $wallMs Unix milliseconds; null: of this machine
     */
    public function __construct(
        private readonly RedisCommands $redis,
        private readonly string $name = self::NAME,
        ?Closure $wallMs = null,
    ) {
        $this->wallMs = $wallMs ?? static fn (): int => (int) (microtime(true) * 1000);
    }

    public function send(array $fields, int $withinMs): void
    {
        $oldest = (string) max(0, ($this->wallMs)() - self::KEPT_MS);
        $words = ['XADD', $this->name, 'MINID', '~', $oldest, '*'];
        foreach ($fields as $field => $value) {
            $text = is_array($value) ? json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES) : $value;
            array_push($words, $field, $text);
        }
        $this->redis->command($words, $withinMs);
    }
}
