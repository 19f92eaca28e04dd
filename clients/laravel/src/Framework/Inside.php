<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Closure;
use Illuminate\Contracts\Broadcasting\Broadcaster;
use Throwable;

/**
 * What only the wrapped broadcaster's inside knows: by which guard a channel finds its user, and how names are matched.
 *
 * `retrieveUser` and `channelNameMatchesPattern` are protected, and the second differs between Laravel 11 and 12. Where
 * they are not there any more, nothing is known.
 */
final class Inside
{
    public function __construct(private readonly Broadcaster $broadcaster)
    {
    }

    /**
     * Return the id of the user whom the channel's guards know. Null: nobody, or it cannot be told.
     */
    public function userId(mixed $request, string $channel): int|string|null
    {
        $user = $this->ask(fn (): mixed => $this->retrieveUser($request, $this->normalizeChannelName($channel)));
        $id = is_object($user) ? $user->getAuthIdentifier() : null;

        return is_int($id) || is_string($id) ? $id : null;
    }

    /**
     * Say whether some registered channel has such a name; in doubt it has.
     */
    public function hasPattern(string $channel): bool
    {
        $has = $this->ask(function () use ($channel): bool {
            foreach (array_keys($this->channels) as $pattern) {
                if ($this->channelNameMatchesPattern($this->normalizeChannelName($channel), $pattern)) {
                    return true;
                }
            }

            return false;
        });

        return $has ?? true;
    }

    private function ask(Closure $question): mixed
    {
        try {
            return Closure::bind($question, $this->broadcaster, $this->broadcaster::class)();
        } catch (Throwable) {
            return null;
        }
    }
}
