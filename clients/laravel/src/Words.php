<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * Which words the sidecar takes: printable ASCII without spaces, of a bounded length.
 */
final class Words
{
    public const LENGTH_MAX = 255;
    public const COUNT_MAX = 20;

    /**
     * Say whether a value is a word that the sidecar takes.
     *
     * @phpstan-assert-if-true string $value
     */
    public static function isOne(mixed $value): bool
    {
        return is_string($value) && preg_match('/\A[\x21-\x7e]{1,' . self::LENGTH_MAX . '}\z/', $value) === 1;
    }

    /**
     * Return the words among the values, at most as many as the sidecar takes; none if it is no list.
     *
     * @return list<string>
     */
    public static function among(mixed $values): array
    {
        $words = is_array($values) ? array_values(array_filter($values, self::isOne(...))) : [];

        return array_slice($words, 0, self::COUNT_MAX);
    }
}
