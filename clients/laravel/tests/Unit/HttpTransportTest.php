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
     * The request is one POST of JSON with the bearer token, also with a slash at the end of the address.
     */
    public function testTheRequestHasTheFormThatTheSidecarReads(): void
    {
        $peer = new Peer([self::answer(200)]);
        (new HttpTransport("http://127.0.0.1:$peer->port/", 'the-token'))->send(self::FACT, 900);
        $received = $peer->received();

        self::assertStringStartsWith("POST /acks HTTP/1.1\r\n", $received);
        self::assertStringContainsString("\r\nAuthorization: Bearer the-token\r\n", $received);
        self::assertStringContainsString("\r\nContent-Type: application/json\r\n", $received);
        self::assertStringNotContainsString('Expect', $received);
        self::assertStringEndsWith("\r\n\r\n" . '{"stage":"paid","payment_intent":"pi_1"}', $received);
    }

    /**
     * The connection is reused for the next fact.
     */
    public function testTheConnectionIsReused(): void
    {
        $peer = new Peer([self::answer(200), 'again', self::answer(200)]);
        $transport = new HttpTransport("http://127.0.0.1:$peer->port", 'the-token');
        $transport->send(self::FACT, 900);
        $transport->send(['stage' => 'dispatched'] + self::FACT, 900);
        $peer->received();

        self::assertStringContainsString('dispatched', $peer->received());
    }

    /**
     * A client error is a refusal, with the sidecar's message; 429 and server errors count as unreachable.
     *
     * @testWith [400, "Refused"]
     *           [401, "Refused"]
     *           [302, "Refused"]
     *           [429, "Unreachable"]
     *           [500, "Unreachable"]
     *           [503, "Unreachable"]
     */
    public function testARefusalIsDistinctFromAnUnreachableSidecar(int $status, string $expected): void
    {
        $peer = new Peer([self::answer($status, '{"code":"x","message":"a message"}')]);
        try {
            (new HttpTransport("http://127.0.0.1:$peer->port", 'the-token'))->send(self::FACT, 900);
            self::fail('it was sent');
        } catch (Refused | Unreachable $error) {
            self::assertSame("ReverbSidecar\\Laravel\\$expected", $error::class);
            self::assertSame("POST /acks: $status a message", $error->getMessage());
        }
    }

    /**
     * A peer that does not respond costs the budget and no more, and the message does not contain the token.
     *
     * @dataProvider unresponsive
     * @param list<string> $parts
     */
    public function testAMissingResponseCostsTheBudgetAndNoMore(array $parts): void
    {
        $peer = new Peer($parts);
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
    public static function unresponsive(): iterable
    {
        yield 'nothing' => [['silence']];
        yield 'half a response' => [["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", 'silence']];
        yield 'no HTTP' => [["-ERR unknown command\r\n"]];
        yield 'the end' => [['']];
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
        (new HttpTransport("http://$address", 'the-token'))->send(self::FACT, 900);
    }

    /**
     * Only HTTP is allowed: an address of a file sends nothing and reads nothing.
     */
    public function testNoOtherProtocolIsAllowed(): void
    {
        $this->expectException(Unreachable::class);

        (new HttpTransport('file:///etc/hostname?', 'the-token'))->send(self::FACT, 900);
    }
}
