<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use InvalidArgumentException;
use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\BrowserToken;

/**
 * The token that identifies the user of a browser.
 */
final class BrowserTokenTest extends TestCase
{
    private const SECRET = 'browser-secret-for-the-vectors-0123456789abcdef';
    private const PAGE = 'a-page-of-the-vectors';

    /**
     * The tokens equal, byte for byte, those that PyJWT 2.15.1 makes of the same claims, secret and time.
     *
     * @dataProvider vectors
     */
    public function testATokenEqualsThatOfPyJwt(
        int|string $userId,
        int $nowS,
        ?string $environment,
        string $expected
    ): void {
        $tokens = new BrowserToken(self::SECRET, 900, $environment);

        self::assertSame($expected, $tokens->of($userId, $nowS, self::PAGE));
    }

    /**
     * @return iterable<array{int|string, int, string|null, string}>
     */
    public static function vectors(): iterable
    {
        $header = 'eyJhbGciOiJIUzI1NiIsImtpZCI6ImY5OTNmZTFkIiwidHlwIjoiSldUIn0';
        yield [7, 1_760_000_000, null, "$header.eyJhdWQiOiJyZXZlcmItc2lkZWNhciIsInN1YiI6IjciLCJpYXQiOjE3NjAwMDAwMDAs"
            . 'ImV4cCI6MTc2MDAwMDkwMCwianRpIjoiYS1wYWdlLW9mLXRoZS12ZWN0b3JzIn0.'
            . 'yF5UVBRUxwQfcqXUuD3AZp5m0DmrZsXBDiwbT9m9iAQ'];
        yield ['user_A-9', 1_893_456_000, 'staging', "$header.eyJhdWQiOiJyZXZlcmItc2lkZWNhciIsInN1YiI6InVzZXJfQS05Iiwi"
            . 'aWF0IjoxODkzNDU2MDAwLCJleHAiOjE4OTM0NTY5MDAsImp0aSI6ImEtcGFnZS1vZi10aGUtdmVjdG9y'
            . 'cyIsImVudiI6InN0YWdpbmcifQ.'
            . 'VouW2Wu8W8BA7bm6lW70UUa69vaN-QfgyH305lRF3ng'];
    }

    /**
     * During a rotation the first of several secrets signs, and `kid` names it.
     */
    public function testTheFirstOfSeveralSecretsSigns(): void
    {
        $rolled = new BrowserToken(' ' . self::SECRET . ' , another-secret-0123456789-0123456789-012');

        self::assertSame(
            (new BrowserToken(self::SECRET))->of(7, 1_760_000_000, self::PAGE),
            $rolled->of(7, 1_760_000_000, self::PAGE)
        );
    }

    /**
     * A token reports a payment once, so no two tokens are the same, also within a second.
     */
    public function testEachTokenHasAnIdOfItsOwn(): void
    {
        $tokens = new BrowserToken(self::SECRET);

        self::assertNotSame($tokens->of(7, 1_760_000_000), $tokens->of(7, 1_760_000_000));
    }

    /**
     * An id that the sidecar would refuse gets no token.
     *
     * @dataProvider invalidIds
     */
    public function testAnIdThatTheSidecarWouldRefuseGetsNoToken(string $userId): void
    {
        $this->expectException(InvalidArgumentException::class);

        (new BrowserToken(self::SECRET))->of($userId);
    }

    /**
     * @return iterable<array{string}>
     */
    public static function invalidIds(): iterable
    {
        yield 'empty' => [''];
        yield 'too long' => [str_repeat('7', 65)];
        yield 'an address' => ['parent@example.test'];
        yield 'with a line break at the end' => ["7\n"];
    }

    /**
     * A configuration that the sidecar could not accept is refused, and the message does not contain the secret.
     *
     * @dataProvider wrong
     */
    public function testAnInvalidConfigurationIsRefusedWithAMessage(string $secret, int $lastsS, string $says): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage($says);

        new BrowserToken($secret, $lastsS);
    }

    /**
     * @return iterable<string, array{string, int, string}>
     */
    public static function wrong(): iterable
    {
        yield 'no secret' => ['', 900, 'SIDECAR_BROWSER_SECRET must have at least 32 bytes'];
        yield 'a byte short' => [str_repeat('s', 31), 900, 'SIDECAR_BROWSER_SECRET must have at least 32 bytes'];
        yield 'a second too long' => [self::SECRET, 3601, 'must be from 1 to 3600 seconds'];
        yield 'no time' => [self::SECRET, 0, 'must be from 1 to 3600 seconds'];
    }

    /**
     * A lifetime of an hour and a secret of 32 bytes are allowed.
     */
    public function testTheLimitsThemselvesAreAllowed(): void
    {
        $token = (new BrowserToken(str_repeat('s', 32), 3600))->of(str_repeat('7', 64), 1_760_000_000);
        $claims = json_decode(base64_decode(explode('.', $token)[1]), true);

        self::assertSame(1_760_003_600, $claims['exp']);
    }
}
