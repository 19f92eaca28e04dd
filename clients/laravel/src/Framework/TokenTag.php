<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Illuminate\Container\Container;
use ReverbSidecar\Laravel\BrowserToken;
use Throwable;

/**
 * The browser token as a tag in the page's head, for `@sidecarToken`.
 */
final class TokenTag
{
    /**
     * Return `<meta name="sidecar-token" content="…">`; nothing for guests, and nothing if no token can be made.
     */
    public static function html(): string
    {
        try {
            $userId = Container::getInstance()->make('auth')->id();
            if ($userId === null) {
                return '';
            }
            $token = Container::getInstance()->make(BrowserToken::class)->of($userId);

            return '<meta name="sidecar-token" content="' . $token . '">';
        } catch (Throwable $error) {
            Hooks::report($error);

            return '';
        }
    }
}
