<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use Throwable;

/**
 * Why was a request for a channel refused?
 *
 * The problem: Laravel raises the same exception for every cause, with an empty message, and never logs it. What tells
 * them apart is where in the framework it was thrown: the first frame of its trace is the function that threw it.
 * Whatever comes from elsewhere was thrown by the app's own code.
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
     * @param bool $hasPattern whether some registered channel has such a name: then it was its callback that said no
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
