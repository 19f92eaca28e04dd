<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\Monotonic;
use ReverbSidecar\Laravel\RedisCommands;
use ReverbSidecar\Laravel\RedisConnection;
use ReverbSidecar\Laravel\RedisStream;
use ReverbSidecar\Laravel\Refused;
use ReverbSidecar\Laravel\Tests\Peer;
use ReverbSidecar\Laravel\Unreachable;

/**
 * Facts in a Redis stream, and the connection with a deadline for each command.
 */
final class RedisTest extends TestCase
{
    private static function connection(Peer $peer, string $before = '', string $after = ''): RedisConnection
    {
        return RedisConnection::to("redis://{$before}127.0.0.1:$peer->port$after");
    }

    /**
     * An entry has the fields as the sidecar reads them, lists as JSON, and trims entries older than four days.
     */
    public function testAnEntryHasTheFormThatTheSidecarReads(): void
    {
        $redis = new class implements RedisCommands {
            /** @var list<string> */
            public array $words = [];

            public function command(array $words, int $withinMs): string|int|null
            {
                $this->words = [...$words, "within $withinMs"];

                return '1-0';
            }
        };
        $stream = new RedisStream($redis, 'acks-of-tests', static fn (): int => 1_760_000_000_000);
        $stream->send(['stage' => 'dispatched', 'payment_intent' => 'pi_1', 'contexts' => ['bookings', 'a,b/c']], 42);

        self::assertSame([
            'XADD', 'acks-of-tests', 'MINID', '~', '1759654400000', '*',
            'stage', 'dispatched', 'payment_intent', 'pi_1', 'contexts', '["bookings","a,b/c"]', 'within 42',
        ], $redis->words);
    }

    /**
     * Commands are arrays of length-prefixed strings, so that no value can be parsed as a command.
     */
    public function testACommandHasLengthPrefixedStrings(): void
    {
        $peer = new Peer(["\$3\r\n1-0\r\n"]);

        self::assertSame('1-0', self::connection($peer)->command(['XADD', "a\r\nFLUSHALL", 'é'], 900));
        self::assertSame("*3\r\n\$4\r\nXADD\r\n\$11\r\na\r\nFLUSHALL\r\n\$2\r\né\r\n", $peer->received());
    }

    /**
     * Every kind of response to a command is parsed, in any number of pieces.
     *
     * @dataProvider answers
     * @param list<string> $parts
     */
    public function testResponsesAreParsedInPieces(array $parts, string|int|null $expected): void
    {
        $peer = new Peer($parts);

        self::assertSame($expected, self::connection($peer)->command(['PING'], 900));
    }

    /**
     * @return iterable<string, array{list<string>, string|int|null}>
     */
    public static function answers(): iterable
    {
        yield 'simple' => [["+PONG\r\n"], 'PONG'];
        yield 'number' => [[":42\r\n"], 42];
        yield 'bulk' => [["\$5\r\na\r\nb \r\n"], "a\r\nb "];
        yield 'empty bulk' => [["\$0\r\n\r\n"], ''];
        yield 'null' => [["\$-1\r\n"], null];
        yield 'in pieces' => [['$', "5\r", "\n1-", '00', "0\r", "\n"], '1-000'];
    }

    /**
     * An error of Redis is a refusal, with its message.
     */
    public function testAnErrorIsARefusal(): void
    {
        $peer = new Peer(["-OOM command not allowed\r\n"]);
        $this->expectException(Refused::class);
        $this->expectExceptionMessage('Redis: OOM command not allowed');

        self::connection($peer)->command(['XADD'], 900);
    }

    /**
     * User, password and database of the address are sent first; a separate password overrides that of the address.
     */
    public function testItAuthenticatesAndSelectsTheDatabase(): void
    {
        $ok = "+OK\r\n";
        $peer = new Peer([$ok, 'again', $ok, 'again', "+PONG\r\n"], [$ok, 'again', "+PONG\r\n"]);
        self::assertSame('PONG', self::connection($peer, 'app:p%40ss@', '/3')->command(['PING'], 900));
        self::assertSame("*3\r\n\$4\r\nAUTH\r\n\$3\r\napp\r\n\$4\r\np@ss\r\n", $peer->received());
        self::assertSame("*2\r\n\$6\r\nSELECT\r\n\$1\r\n3\r\n", $peer->received());
        $peer->received();

        $own = RedisConnection::to("redis://:other@127.0.0.1:$peer->port/0", 'own');
        self::assertSame('PONG', $own->command(['PING'], 900));
        self::assertSame("*2\r\n\$4\r\nAUTH\r\n\$3\r\nown\r\n", $peer->received());
    }

    /**
     * A wrong password is a refusal, and the next command authenticates again.
     */
    public function testAWrongPasswordIsRefusedEveryTime(): void
    {
        $no = "-WRONGPASS invalid username-password pair\r\n";
        $peer = new Peer([$no, 'again', "+OK\r\n"], [$no]);
        $connection = self::connection($peer, ':hush@');
        foreach ([1, 2] as $ignored) {
            try {
                $connection->command(['XADD'], 900);
                self::fail('the command was accepted');
            } catch (Refused $error) {
                self::assertStringContainsString('WRONGPASS', $error->getMessage());
                self::assertStringNotContainsString('hush', $error->getMessage());
            }
        }
    }

    /**
     * If an open connection was closed, the command reconnects once.
     */
    public function testAClosedConnectionIsReopened(): void
    {
        $peer = new Peer(["+ONE\r\n"], ["+TWO\r\n"]);
        $connection = self::connection($peer);
        self::assertSame('ONE', $connection->command(['PING'], 900));

        self::assertSame('TWO', $connection->command(['PING'], 900));
    }

    /**
     * A missing or invalid response costs the budget and no more.
     *
     * @dataProvider unresponsive
     * @param list<string> $parts
     */
    public function testAMissingResponseCostsTheBudgetAndNoMore(array $parts, string $expected): void
    {
        $peer = new Peer($parts);
        $connection = self::connection($peer);
        $since = Monotonic::nowMs();
        try {
            $connection->command(['PING'], 200);
            self::fail('the command was accepted');
        } catch (Unreachable $error) {
            self::assertLessThan(1500, Monotonic::nowMs() - $since);
            self::assertSame("Redis $expected", $error->getMessage());
        }
    }

    /**
     * @return iterable<string, array{list<string>, string}>
     */
    public static function unresponsive(): iterable
    {
        yield 'nothing' => [['silence'], 'did not respond in time'];
        yield 'half a line' => [['+PO', 'silence'], 'did not respond in time'];
        yield 'half a bulk' => [["\$10\r\nabc", 'silence'], 'did not respond in time'];
        yield 'bytes without end' => [array_fill(0, 60, 'x'), 'did not respond in time'];
        yield 'the end' => [[''], 'closed the connection'];
        yield 'no RESP' => [["HTTP/1.1 400 Bad Request\r\n"], 'sent a response that is not RESP2'];
        yield 'a bulk that is too large' => [["\$999999999\r\n", 'silence'], 'sent a string of more than 16384 bytes'];
        $line = '+' . str_repeat('x', 40_000);
        yield 'a line that is too long' => [[$line, 'silence'], 'sent a line of more than 16384 bytes'];
    }

    /**
     * A closed port fails at once.
     */
    public function testAClosedPortFailsAtOnce(): void
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        $address = stream_socket_get_name($server, false);
        fclose($server);

        $this->expectException(Unreachable::class);
        RedisConnection::to("redis://$address")->command(['PING'], 900);
    }
}
