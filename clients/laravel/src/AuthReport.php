<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * The result of one authorisation request for a user's channel.
 */
final class AuthReport implements Fact
{
    /**
     * @param array<string, string> $who the fields of `Identity` for the user; empty: a guest, or an unknown user
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
