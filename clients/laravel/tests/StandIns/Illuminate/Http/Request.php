<?php

declare(strict_types=1);

namespace Illuminate\Http;

/**
 * Stand-in: its input, and the user of each guard.
 */
class Request
{
    /**
     * @param array<string, mixed> $input
     * @param array<string, object> $users by guard; `web` is the default one
     */
    public function __construct(private readonly array $input = [], private readonly array $users = [])
    {
    }

    public function __get(string $key): mixed
    {
        return $this->input[$key] ?? null;
    }

    public function __isset(string $key): bool
    {
        return isset($this->input[$key]);
    }

    public function user(?string $guard = null): ?object
    {
        return $this->users[$guard ?? 'web'] ?? null;
    }
}
