<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use CurlHandle;
use SensitiveParameter;

/**
 * Send facts by `POST /acks`, each with the bearer token. The connection is kept open for the next fact.
 */
final class HttpTransport implements Transport
{
    private const ANSWER_BYTES_MAX = 2048;
    private const TOO_MANY = 429;
    private const SERVER_ERROR_MIN = 500;

    private ?CurlHandle $curl = null;
    private readonly string $url;

    /**
     * @param string $base the address of the sidecar's public listener, such as http://127.0.0.1:8700
     * @param string $token SIDECAR_ACK_TOKEN
     */
    public function __construct(string $base, #[SensitiveParameter] private readonly string $token)
    {
        $this->url = rtrim($base, '/') . '/acks';
    }

    public function send(array $fields, int $withinMs): void
    {
        $body = json_encode($fields, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES);
        $answer = '';
        $this->curl ??= curl_init();
        curl_setopt_array($this->curl, [
            CURLOPT_URL => $this->url,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_POSTFIELDS => $body,
            CURLOPT_HTTPHEADER => [
                'Content-Type: application/json',
                'Authorization: Bearer ' . $this->token,
                'Expect:',
            ],
            CURLOPT_NOSIGNAL => true,
            CURLOPT_CONNECTTIMEOUT_MS => max(1, $withinMs),
            CURLOPT_TIMEOUT_MS => max(1, $withinMs),
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_WRITEFUNCTION => static function (CurlHandle $curl, string $part) use (&$answer): int {
                $answer = substr($answer . $part, 0, self::ANSWER_BYTES_MAX);

                return strlen($part);
            },
        ]);
        if (curl_exec($this->curl) === false) {
            throw new Unreachable('POST /acks: ' . curl_error($this->curl));
        }
        $this->check(curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE), $answer);
    }

    private function check(int $status, string $answer): void
    {
        if ($status >= 200 && $status < 300) {
            return;
        }
        $body = json_decode($answer, true);
        $message = is_array($body) && is_string($body['message'] ?? null) ? $body['message'] : '';
        $reason = rtrim("POST /acks: $status $message");
        throw $status === self::TOO_MANY || $status >= self::SERVER_ERROR_MIN
            ? new Unreachable($reason)
            : new Refused($reason);
    }
}
