<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * How one request for a user's own channel was answered.
 */
final class AuthReport implements Fact
{
    /**
     * @param array<string, string> $who whose request it was, as `Identity` says it; empty: a guest's, or nobody knows
     */
    public function __construct(
        private readonly AuthResult $result,
        private readonly string $channel,
        private readonly array $who = [],
    ) {
    }

    public function fields(): array
    {
        return ['auth' => $this->result->value, 'channel' => $this->channel, ...$this->who];
    }
}
