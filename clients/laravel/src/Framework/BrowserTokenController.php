<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use ReverbSidecar\Laravel\BrowserToken;

/**
 * Return a browser token of the authenticated user: `Route::get('/sidecar/token', BrowserTokenController::class)`,
 * behind the same middleware as the rest of the app's API.
 */
final class BrowserTokenController
{
    public function __construct(private readonly BrowserToken $tokens)
    {
    }

    /**
     * Return `{"token": "…"}`, or 401 without an authenticated user; never from a cache.
     */
    public function __invoke(Request $request): JsonResponse
    {
        $user = $request->user();
        $headers = ['Cache-Control' => 'no-store, private'];

        return $user === null
            ? new JsonResponse(['message' => 'Unauthenticated.'], 401, $headers)
            : new JsonResponse(['token' => $this->tokens->of($user->getAuthIdentifier())], 200, $headers);
    }
}
