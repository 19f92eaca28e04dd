<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Throwable;

/**
 * The cause of a refused authorisation request.
 *
 * The problem: Laravel throws the same exception for every cause, with an empty message, and never logs it. The causes
 * differ in where the framework throws: the first frame of the trace is the function that threw. An exception from
 * anywhere else was thrown by the app's own code.
 */
final class AuthVerdict
{
    private const DENIED = 'Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException';
    private const BROADCASTER = 'Illuminate\Contracts\Broadcasting\Broadcaster';
    private const UNAUTHENTICATED = 'Illuminate\Auth\AuthenticationException';
    private const MODEL_NOT_FOUND = 'Illuminate\Database\Eloquent\ModelNotFoundException';

    /**
     * Return the cause of a refusal.
     *
     * @param bool $hasPattern whether a registered channel pattern matches; then its callback denied access
     */
    public static function of(Throwable $error, bool $hasPattern): AuthResult
    {
        if ($error instanceof (self::UNAUTHENTICATED)) {
            return AuthResult::Guest;
        }
        if ($error instanceof (self::MODEL_NOT_FOUND)) {
            return AuthResult::Binding;
        }
        $thrownIn = $error->getTrace()[0] ?? [];
        if (!$error instanceof (self::DENIED) || !is_a($thrownIn['class'] ?? '', self::BROADCASTER, true)) {
            return AuthResult::Abort;
        }

        return match ($thrownIn['function']) {
            'auth' => AuthResult::Guest,
            'verifyUserCanAccessChannel' => $hasPattern ? AuthResult::Refused : AuthResult::NoPattern,
            'resolveImplicitBindingIfPossible' => AuthResult::Binding,
            default => AuthResult::Abort,
        };
    }
}
