<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use ReverbSidecar\Laravel\BrowserToken;

/**
 * Gives the page a browser token of the user who asks: `Route::get('/sidecar/token', BrowserTokenController::class)`,
 * behind the same middleware as the rest of the app's API.
 */
final class BrowserTokenController
{
    public function __construct(private readonly BrowserToken $tokens)
    {
    }

    /**
     * Answer `{"token": "…"}`, or 401 where nobody is logged in; never from a cache.
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
