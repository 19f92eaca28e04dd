<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Closure;
use Illuminate\Contracts\Broadcasting\Broadcaster;
use Throwable;

/**
 * Access to the wrapped broadcaster's protected methods: the user of a channel's guards, and the matching of names.
 *
 * `retrieveUser` and `channelNameMatchesPattern` are protected, and the second differs between Laravel 11 and 12. If
 * they are missing, the result is unknown.
 */
final class BroadcasterInternals
{
    public function __construct(private readonly Broadcaster $broadcaster)
    {
    }

    /**
     * Return the id of the user of the channel's guards. Null: no user, or unknown.
     */
    public function userId(mixed $request, string $channel): int|string|null
    {
        $user = $this->call(fn (): mixed => $this->retrieveUser($request, $this->normalizeChannelName($channel)));
        $id = is_object($user) ? $user->getAuthIdentifier() : null;

        return is_int($id) || is_string($id) ? $id : null;
    }

    /**
     * Return whether a registered channel pattern matches the name; true if unknown.
     */
    public function hasPattern(string $channel): bool
    {
        $has = $this->call(function () use ($channel): bool {
            foreach (array_keys($this->channels) as $pattern) {
                if ($this->channelNameMatchesPattern($this->normalizeChannelName($channel), $pattern)) {
                    return true;
                }
            }

            return false;
        });

        return $has ?? true;
    }

    private function call(Closure $access): mixed
    {
        try {
            return Closure::bind($access, $this->broadcaster, $this->broadcaster::class)();
        } catch (Throwable) {
            return null;
        }
    }
}
