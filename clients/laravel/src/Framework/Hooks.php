<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Closure;
use Illuminate\Container\Container;
use Illuminate\Contracts\Debug\ExceptionHandler;
use ReverbSidecar\Laravel\Outbox;
use Throwable;

/**
 * The services of the application. Each method uses the container of the current request, which Octane replaces with
 * every request.
 */
final class Hooks
{
    /**
     * Return the outbox of this request or job.
     */
    public static function outbox(): Outbox
    {
        return Container::getInstance()->make(Outbox::class);
    }

    /**
     * Run this once the open transaction is committed, or at once if none is open.
     */
    public static function afterCommit(Closure $work): void
    {
        Container::getInstance()->make('db')->afterCommit($work);
    }

    /**
     * Report an exception as the app reports its own.
     */
    public static function report(Throwable $error): void
    {
        Container::getInstance()->make(ExceptionHandler::class)->report($error);
    }

    /**
     * Write a warning to the app's log.
     *
     * @param array<string, mixed> $fields
     */
    public static function warn(string $message, array $fields): void
    {
        Container::getInstance()->make('log')->warning($message, $fields);
    }
}
