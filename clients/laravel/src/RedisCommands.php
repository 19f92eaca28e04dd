<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * What we ask of Redis: one command, within a time.
 */
interface RedisCommands
{
    /**
     * Return what Redis answers.
     *
     * @param list<string> $words the command and its arguments
     * @throws Refused if Redis answers with an error
     * @throws Unreachable if it does not answer in time
     */
    public function command(array $words, int $withinMs): string|int|null;
}
