<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\ReleaseMarker;

/**
 * The version of the app in every ack.
 */
final class ReleaseMarkerTest extends TestCase
{
    private const HASH = '5f2c9e7a1b3004d8c6e1f0a9b8d7c6e5f4a3b2c1';

    private string $folder;

    protected function setUp(): void
    {
        $this->folder = sys_get_temp_dir() . '/release-' . bin2hex(random_bytes(8));
        mkdir("$this->folder/.git/refs/heads", recursive: true);
    }

    protected function tearDown(): void
    {
        foreach (['REVISION', '.git/HEAD', '.git/packed-refs', '.git/refs/heads/main', 'secret'] as $file) {
            @unlink("$this->folder/$file");
        }
        array_map(
            fn (string $folder) => rmdir("$this->folder/$folder"),
            ['.git/refs/heads', '.git/refs', '.git', ''],
        );
    }

    /**
     * @param array<string, string> $files
     */
    private function write(array $files): void
    {
        foreach ($files as $name => $content) {
            file_put_contents("$this->folder/$name", $content);
        }
    }

    /**
     * The configured release comes first, then a REVISION file, then git's revision, loose or packed.
     *
     * @dataProvider folders
     * @param array<string, string> $files
     */
    public function testTheReleaseIsFound(?string $configured, array $files, ?string $expected): void
    {
        $this->write($files);

        self::assertSame($expected, ReleaseMarker::of($configured, $this->folder));
    }

    /**
     * @return iterable<string, array{string|null, array<string, string>, string|null}>
     */
    public static function folders(): iterable
    {
        $head = ['.git/HEAD' => "ref: refs/heads/main\n"];
        $loose = $head + ['.git/refs/heads/main' => self::HASH . "\n"];
        $other = str_repeat('0', 40);
        $packed = $head + [
            '.git/packed-refs' => "# pack-refs\n$other refs/heads/main2\n" . self::HASH . " refs/heads/main\n",
        ];
        yield 'configured' => [' v1.2.3 ', $loose + ['REVISION' => 'deployed'], 'v1.2.3'];
        yield 'a REVISION file' => ['', $loose + ['REVISION' => "2026-11-25\n"], '2026-11-25'];
        yield 'a REVISION file with a hash' => [null, ['REVISION' => self::HASH], '5f2c9e7a1b30'];
        yield 'a branch' => [null, $loose, '5f2c9e7a1b30'];
        yield 'a packed branch' => [null, $packed, '5f2c9e7a1b30'];
        yield 'a detached head' => [null, ['.git/HEAD' => self::HASH . "\n"], '5f2c9e7a1b30'];
        yield 'a branch without a commit' => [null, $head, null];
        yield 'nothing' => [null, [], null];
        yield 'not an identifier that the sidecar accepts' => ['release of today', [], null];
        yield 'a way out of the folder' => [null, ['.git/HEAD' => 'ref: refs/../../secret', 'secret' => 'hush'], null];
    }
}
