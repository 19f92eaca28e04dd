/** What a page pays for it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const FOUR_KB = 4000;
const ENTRIES = [
  ['payment-refresh.js', "export * from './payment-refresh.js';"],
  ['payment-refresh.js with react.js', "export * from './payment-refresh.js'; export * from './react.js';"],
  ['openfeature.js', "export * from './openfeature.js';"],
];

for (const [what, contents] of ENTRIES) {
  test(`${what} is under 4 kB, minified and gzipped`, async () => {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: new URL('..', import.meta.url).pathname },
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2022',
      external: ['react'],
      write: false,
      logLevel: 'error',
    });
    const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
    console.log(`${what}: ${bytes} bytes`);
    assert.ok(bytes < FOUR_KB, `${bytes} bytes`);
  });
}
