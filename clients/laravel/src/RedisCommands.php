<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * A Redis client for one command with a deadline.
 */
interface RedisCommands
{
    /**
     * Return Redis' response to a command.
     *
     * @param list<string> $words the command and its arguments
     * @throws Refused if Redis returns an error
     * @throws Unreachable if it does not respond in time
     */
    public function command(array $words, int $withinMs): string|int|null;
}
