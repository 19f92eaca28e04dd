<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * The name pattern of users' own channels, such as `private-live-refresh.{user_id}`. Only these are reported.
 */
final class ChannelName
{
    public const DEFAULT = 'private-live-refresh.{user_id}';

    private readonly string $pattern;

    public function __construct(string $template = self::DEFAULT)
    {
        $this->pattern = '/\A' . str_replace('\{user_id\}', '[A-Za-z0-9_-]{1,64}', preg_quote($template, '/')) . '\z/';
    }

    /**
     * Return whether this is a user's own channel.
     *
     * @phpstan-assert-if-true string $channel
     */
    public function isUserChannel(mixed $channel): bool
    {
        return is_string($channel) && preg_match($this->pattern, $channel) === 1;
    }
}
