<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use InvalidArgumentException;
use SensitiveParameter;

/**
 * A token that identifies the user of a payer's browser: a JWT (RFC 7519), HS256, valid for at most an hour.
 */
final class BrowserToken
{
    public const AUDIENCE = 'reverb-sidecar';
    public const LASTS_MAX_S = 3600;
    public const SECRET_BYTES_MIN = 32;

    private readonly string $secret;

    /**
     * @param string $secrets SIDECAR_BROWSER_SECRET; of several, separated by commas, the first signs
     * @param string|null $environment the sidecar's `environment`; null: the token is good for every environment
     * @throws InvalidArgumentException if the secret is too short, or the lifetime is out of range
     */
    public function __construct(
        #[SensitiveParameter] string $secrets,
        private readonly int $lastsS = 900,
        private readonly ?string $environment = null,
    ) {
        $this->secret = trim(explode(',', $secrets)[0]);
        if (strlen($this->secret) < self::SECRET_BYTES_MIN) {
            throw new InvalidArgumentException(
                'SIDECAR_BROWSER_SECRET must have at least ' . self::SECRET_BYTES_MIN . ' bytes: openssl rand -hex 32'
            );
        }
        if ($lastsS < 1 || $lastsS > self::LASTS_MAX_S) {
            throw new InvalidArgumentException(
                "SIDECAR_TOKEN_LASTS_S is $lastsS and must be from 1 to " . self::LASTS_MAX_S . ' seconds'
            );
        }
    }

    /**
     * Return the token of a user. It reports each payment once: sign a new one for each page.
     *
     * @param int|null $nowS Unix seconds; null: now
     * @param string|null $id the token's own id; null: a random one
     * @throws InvalidArgumentException if the sidecar would not accept the id
     */
    public function of(int|string $userId, ?int $nowS = null, ?string $id = null): string
    {
        if (preg_match('/\A[A-Za-z0-9_-]{1,64}\z/', (string) $userId) !== 1) {
            throw new InvalidArgumentException('a user id must have 1 to 64 characters of A-Z a-z 0-9 _ -');
        }
        $nowS ??= time();
        $header = ['alg' => 'HS256', 'kid' => substr(hash('sha256', $this->secret), 0, 8), 'typ' => 'JWT'];
        $claims = ['aud' => self::AUDIENCE, 'sub' => (string) $userId, 'iat' => $nowS, 'exp' => $nowS + $this->lastsS];
        $claims['jti'] = $id ?? bin2hex(random_bytes(16));
        if ($this->environment !== null) {
            $claims['env'] = $this->environment;
        }
        $signed = self::part($header) . '.' . self::part($claims);

        return $signed . '.' . self::base64url(hash_hmac('sha256', $signed, $this->secret, true));
    }

    /**
     * @param array<string, int|string> $content
     */
    private static function part(array $content): string
    {
        return self::base64url(json_encode($content, JSON_THROW_ON_ERROR));
    }

    private static function base64url(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }
}
