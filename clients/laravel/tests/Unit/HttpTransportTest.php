<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\HttpTransport;
use ReverbSidecar\Laravel\Monotonic;
use ReverbSidecar\Laravel\Refused;
use ReverbSidecar\Laravel\Tests\Peer;
use ReverbSidecar\Laravel\Unreachable;

/**
 * Facts over HTTP, to real sockets.
 */
final class HttpTransportTest extends TestCase
{
    private const FACT = ['stage' => 'paid', 'payment_intent' => 'pi_1'];

    private static function answer(int $status, string $body = '{}'): string
    {
        return "HTTP/1.1 $status X\r\nContent-Length: " . strlen($body) . "\r\n\r\n$body";
    }

    /**
     * The request is one POST of JSON with the bearer token, and a slash too many in the address does no harm.
     */
    public function testTheRequestIsWhatTheSidecarTakes(): void
    {
        $peer = new Peer([self::answer(200)]);
        (new HttpTransport("http://127.0.0.1:$peer->port/", 'the-token'))->send(self::FACT, 900);
        $heard = $peer->heard();

        self::assertStringStartsWith("POST /acks HTTP/1.1\r\n", $heard);
        self::assertStringContainsString("\r\nAuthorization: Bearer the-token\r\n", $heard);
        self::assertStringContainsString("\r\nContent-Type: application/json\r\n", $heard);
        self::assertStringNotContainsString('Expect', $heard);
        self::assertStringEndsWith("\r\n\r\n" . '{"stage":"paid","payment_intent":"pi_1"}', $heard);
    }

    /**
     * The connection is kept for the next fact.
     */
    public function testTheConnectionIsKept(): void
    {
        $peer = new Peer([self::answer(200), 'again', self::answer(200)]);
        $transport = new HttpTransport("http://127.0.0.1:$peer->port", 'the-token');
        $transport->send(self::FACT, 900);
        $transport->send(['stage' => 'dispatched'] + self::FACT, 900);
        $peer->heard();

        self::assertStringContainsString('dispatched', $peer->heard());
    }

    /**
     * What the sidecar says no to is refused, with its words; where it is in trouble, the next would fare no better.
     *
     * @testWith [400, "Refused"]
     *           [401, "Refused"]
     *           [302, "Refused"]
     *           [429, "Unreachable"]
     *           [500, "Unreachable"]
     *           [503, "Unreachable"]
     */
    public function testANoIsToldFromTrouble(int $status, string $expected): void
    {
        $peer = new Peer([self::answer($status, '{"code":"x","message":"in words"}')]);
        try {
            (new HttpTransport("http://127.0.0.1:$peer->port", 'the-token'))->send(self::FACT, 900);
            self::fail('it was sent');
        } catch (Refused | Unreachable $error) {
            self::assertSame("ReverbSidecar\\Laravel\\$expected", $error::class);
            self::assertSame("POST /acks: $status in words", $error->getMessage());
        }
    }

    /**
     * Whatever it is that does not answer, it costs the budget and no more, and the token is not in what is said.
     *
     * @dataProvider mutes
     * @param list<string> $says
     */
    public function testSilenceCostsTheBudgetAndNoMore(array $says): void
    {
        $peer = new Peer($says);
        $since = Monotonic::nowMs();
        try {
            (new HttpTransport("http://127.0.0.1:$peer->port", 'the-token'))->send(self::FACT, 200);
            self::fail('it was sent');
        } catch (Unreachable $error) {
            self::assertLessThan(1500, Monotonic::nowMs() - $since);
            self::assertStringNotContainsString('the-token', $error->getMessage());
        }
    }

    /**
     * @return iterable<string, array{list<string>}>
     */
    public static function mutes(): iterable
    {
        yield 'nothing' => [['silence']];
        yield 'half an answer' => [["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", 'silence']];
        yield 'no HTTP' => [["-ERR unknown command\r\n"]];
        yield 'the end' => [['']];
    }

    /**
     * Where nobody listens, it is known at once.
     */
    public function testNobodyIsKnownAtOnce(): void
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        $address = stream_socket_get_name($server, false);
        fclose($server);

        $this->expectException(Unreachable::class);
        (new HttpTransport("http://$address", 'the-token'))->send(self::FACT, 900);
    }

    /**
     * Only HTTP is spoken: an address of a file sends nothing and reads nothing.
     */
    public function testNoOtherProtocolIsSpoken(): void
    {
        $this->expectException(Unreachable::class);

        (new HttpTransport('file:///etc/hostname?', 'the-token'))->send(self::FACT, 900);
    }
}
