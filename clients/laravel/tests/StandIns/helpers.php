<?php

/**
 * Stand-ins: the framework's functions that a configuration file calls.
 */

declare(strict_types=1);

/**
 * Return a variable of the environment.
 */
function env(string $key, mixed $default = null): mixed
{
    $value = getenv($key);

    return $value === false ? $default : $value;
}

/**
 * Return the app's folder.
 */
function base_path(): string
{
    return dirname(__DIR__) . '/nothing-here';
}
