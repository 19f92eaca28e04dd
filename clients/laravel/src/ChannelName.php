<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * How a user's own channel is named, such as `private-live-refresh.{user_id}`. Only of these the sidecar is told.
 */
final class ChannelName
{
    public const USUAL = 'private-live-refresh.{user_id}';

    private readonly string $pattern;

    public function __construct(string $template = self::USUAL)
    {
        $this->pattern = '/\A' . str_replace('\{user_id\}', '[A-Za-z0-9_-]{1,64}', preg_quote($template, '/')) . '\z/';
    }

    /**
     * Say whether this is some user's own channel.
     *
     * @phpstan-assert-if-true string $channel
     */
    public function isSomebodys(mixed $channel): bool
    {
        return is_string($channel) && preg_match($this->pattern, $channel) === 1;
    }
}
