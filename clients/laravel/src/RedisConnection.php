<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use InvalidArgumentException;
use SensitiveParameter;

/**
 * A connection to Redis with a deadline for each command. It stays open, and reconnects once it was closed.
 *
 * The problem: the app's own Redis client puts a prefix before the stream's name, waits for its configured timeout, and
 * may retry for longer still. XADD must never take longer than its budget. So this class implements the part of RESP2
 * (redis.io, "Redis serialization protocol") that XADD needs. TCP only: no TLS, no cluster, no Sentinel.
 */
final class RedisConnection implements RedisCommands
{
    private const LINE_BYTES_MAX = 16 * 1024;

    /** @var resource|null */
    private $socket = null;

    private function __construct(
        private readonly string $host,
        private readonly int $port,
        private readonly ?string $user,
        #[SensitiveParameter] private readonly ?string $password,
        private readonly int $database,
    ) {
    }

    /**
     * Return a connection that is not open yet.
     *
     * @param string $url such as redis://user:password@127.0.0.1:6379/0
     * @throws InvalidArgumentException if the URL is invalid
     */
    public static function to(
        #[SensitiveParameter] string $url,
        #[SensitiveParameter] ?string $password = null,
    ): self {
        $parts = parse_url($url);
        $path = is_array($parts) ? ltrim($parts['path'] ?? '', '/') : 'x';
        if (!is_array($parts) || ($parts['scheme'] ?? '') !== 'redis' || !isset($parts['host'])) {
            throw new InvalidArgumentException('SIDECAR_REDIS_URL is not of the form redis://host:6379/0');
        }
        if ($path !== '' && !ctype_digit($path)) {
            throw new InvalidArgumentException('the database in SIDECAR_REDIS_URL is not a number');
        }
        $user = rawurldecode($parts['user'] ?? '') ?: null;
        $secret = ($password ?? '') === '' ? rawurldecode($parts['pass'] ?? '') : $password;

        return new self($parts['host'], $parts['port'] ?? 6379, $user, $secret === '' ? null : $secret, (int) $path);
    }

    public function command(array $words, int $withinMs): string|int|null
    {
        $deadlineMs = Monotonic::nowMs() + $withinMs;
        $wasOpen = $this->socket !== null;
        try {
            return $this->once($words, $deadlineMs);
        } catch (Unreachable $error) {
            if (!$wasOpen || Monotonic::nowMs() >= $deadlineMs) {
                throw $error;
            }

            return $this->once($words, $deadlineMs);
        }
    }

    /**
     * @param list<string> $words
     */
    private function once(array $words, int $deadlineMs): string|int|null
    {
        try {
            if ($this->socket === null) {
                $this->open($deadlineMs);
            }

            return $this->exchange($words, $deadlineMs);
        } catch (Unreachable $error) {
            $this->close();
            throw $error;
        }
    }

    private function open(int $deadlineMs): void
    {
        $left = $this->left($deadlineMs);
        $socket = @stream_socket_client("tcp://$this->host:$this->port", $code, $message, $left / 1000);
        if ($socket === false) {
            throw new Unreachable("Redis at $this->host:$this->port: $message");
        }
        stream_set_blocking($socket, false);
        $this->socket = $socket;
        try {
            if ($this->password !== null) {
                $who = $this->user === null ? [] : [$this->user];
                $this->exchange(['AUTH', ...$who, $this->password], $deadlineMs);
            }
            if ($this->database !== 0) {
                $this->exchange(['SELECT', (string) $this->database], $deadlineMs);
            }
        } catch (Refused $error) {
            $this->close();
            throw $error;
        }
    }

    /**
     * @param list<string> $words
     */
    private function exchange(array $words, int $deadlineMs): string|int|null
    {
        $request = '*' . count($words) . "\r\n";
        foreach ($words as $word) {
            $request .= '$' . strlen($word) . "\r\n$word\r\n";
        }
        $this->write($request, $deadlineMs);
        $line = $this->line($deadlineMs);
        $rest = substr($line, 1);

        return match ($line[0] ?? '') {
            '+' => $rest,
            ':' => (int) $rest,
            '$' => (int) $rest < 0 ? null : $this->bulk((int) $rest, $deadlineMs),
            '-' => throw new Refused("Redis: $rest"),
            default => throw new Unreachable('Redis sent a response that is not RESP2'),
        };
    }

    private function write(string $request, int $deadlineMs): void
    {
        while ($request !== '') {
            $this->await(false, $deadlineMs);
            $written = @fwrite($this->socket, $request);
            if ($written === false || $written === 0) {
                throw new Unreachable('Redis closed the connection');
            }
            $request = substr($request, $written);
        }
    }

    private function line(int $deadlineMs): string
    {
        $line = '';
        do {
            $line .= $this->some($deadlineMs, static fn ($socket) => fgets($socket, self::LINE_BYTES_MAX));
            if (strlen($line) > self::LINE_BYTES_MAX) {
                throw new Unreachable('Redis sent a line of more than ' . self::LINE_BYTES_MAX . ' bytes');
            }
        } while (!str_ends_with($line, "\r\n"));

        return substr($line, 0, -2);
    }

    private function bulk(int $length, int $deadlineMs): string
    {
        if ($length > self::LINE_BYTES_MAX) {
            throw new Unreachable('Redis sent a string of more than ' . self::LINE_BYTES_MAX . ' bytes');
        }
        $bytes = '';
        while (strlen($bytes) < $length + 2) {
            $wanted = $length + 2 - strlen($bytes);
            $bytes .= $this->some($deadlineMs, static fn ($socket) => fread($socket, $wanted));
        }

        return substr($bytes, 0, -2);
    }

    private function some(int $deadlineMs, callable $read): string
    {
        $this->await(true, $deadlineMs);
        $part = $read($this->socket);
        if (($part === false || $part === '') && feof($this->socket)) {
            throw new Unreachable('Redis closed the connection');
        }

        return (string) $part;
    }

    private function await(bool $toRead, int $deadlineMs): void
    {
        $ready = [$this->socket];
        $none = null;
        $left = $this->left($deadlineMs);
        $count = $toRead
            ? @stream_select($ready, $none, $none, intdiv($left, 1000), $left % 1000 * 1000)
            : @stream_select($none, $ready, $none, intdiv($left, 1000), $left % 1000 * 1000);
        if ($count !== 1) {
            throw new Unreachable('Redis did not respond in time');
        }
    }

    private function left(int $deadlineMs): int
    {
        $left = $deadlineMs - Monotonic::nowMs();
        if ($left <= 0) {
            throw new Unreachable('Redis did not respond in time');
        }

        return $left;
    }

    private function close(): void
    {
        if ($this->socket !== null) {
            fclose($this->socket);
            $this->socket = null;
        }
    }
}
