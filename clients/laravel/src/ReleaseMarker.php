<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * The version of the app, in every ack, so that a regression can be attributed to a release.
 */
final class ReleaseMarker
{
    private const HEX_DIGITS = 12;
    private const FILE_BYTES_MAX = 4096;

    /**
     * Return the marker: the configured one, else a REVISION file, else the git revision. Null: none is known.
     */
    public static function of(?string $configured, string $folder): ?string
    {
        $found = trim($configured ?? '') ?: self::revisionFile($folder) ?? self::gitRevision($folder);

        return Identifier::isValid($found) ? $found : null;
    }

    private static function revisionFile(string $folder): ?string
    {
        return self::short(self::read("$folder/REVISION"));
    }

    private static function gitRevision(string $folder): ?string
    {
        $head = self::read("$folder/.git/HEAD");
        if (preg_match('~\Aref: (refs/[A-Za-z0-9._/-]+)\z~', $head, $named) !== 1 || str_contains($named[1], '..')) {
            return preg_match('/\A[0-9a-f]+\z/', $head) === 1 ? self::short($head) : null;
        }
        $revision = self::read("$folder/.git/$named[1]");
        if ($revision === '') {
            $packed = '~^([0-9a-f]{40,64}) ' . preg_quote($named[1], '~') . '$~m';
            $all = @file_get_contents("$folder/.git/packed-refs") ?: '';
            $revision = preg_match($packed, $all, $found) === 1 ? $found[1] : '';
        }

        return self::short($revision);
    }

    private static function short(string $revision): ?string
    {
        if ($revision === '') {
            return null;
        }

        $isHash = preg_match('/\A[0-9a-f]{40,64}\z/', $revision) === 1;

        return $isHash ? substr($revision, 0, self::HEX_DIGITS) : $revision;
    }

    private static function read(string $file): string
    {
        return is_file($file) ? trim(@file_get_contents($file, length: self::FILE_BYTES_MAX) ?: '') : '';
    }
}
