<?php

/**
 * Load classes by PSR-4 without Composer: the package's, the stand-ins', and those of the example's "after".
 */

declare(strict_types=1);

error_reporting(E_ALL);
require_once __DIR__ . '/StandIns/helpers.php';

spl_autoload_register(static function (string $class): void {
    $folders = [
        'ReverbSidecar\\Laravel\\Tests\\' => [__DIR__],
        'ReverbSidecar\\Laravel\\' => [dirname(__DIR__) . '/src'],
        'App\\' => [dirname(__DIR__) . '/example/after/app', __DIR__ . '/Seed'],
        'Illuminate\\' => [__DIR__ . '/StandIns/Illuminate'],
        'Symfony\\' => [__DIR__ . '/StandIns/Symfony'],
    ];
    foreach ($folders as $prefix => $places) {
        if (!str_starts_with($class, $prefix)) {
            continue;
        }
        foreach ($places as $place) {
            $file = $place . '/' . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
            if (is_file($file)) {
                require_once $file;

                return;
            }
        }
    }
});
