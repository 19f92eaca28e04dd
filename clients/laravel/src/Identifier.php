<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * The identifiers that the sidecar accepts: printable ASCII without spaces, of a bounded length.
 */
final class Identifier
{
    public const LENGTH_MAX = 255;
    public const COUNT_MAX = 20;

    /**
     * Return whether a value is an identifier that the sidecar accepts.
     *
     * @phpstan-assert-if-true string $value
     */
    public static function isValid(mixed $value): bool
    {
        return is_string($value) && preg_match('/\A[\x21-\x7e]{1,' . self::LENGTH_MAX . '}\z/', $value) === 1;
    }

    /**
     * Return the valid identifiers of a list, at most as many as the sidecar accepts; none if it is not a list.
     *
     * @return list<string>
     */
    public static function validIn(mixed $values): array
    {
        $valid = is_array($values) ? array_values(array_filter($values, self::isValid(...))) : [];

        return array_slice($valid, 0, self::COUNT_MAX);
    }
}
