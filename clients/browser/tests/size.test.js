/** The size of the module in a page. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ENTRIES = [
  ['payment-refresh.js', 4000, "export * from './payment-refresh.js';"],
  ['payment-refresh.js with react.js', 4100, "export * from './payment-refresh.js'; export * from './react.js';"],
  ['openfeature.js', 400, "export * from './openfeature.js';"],
];

for (const [what, bytesMax, contents] of ENTRIES) {
  test(`${what} is under ${bytesMax} bytes, minified and gzipped`, async () => {
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
    assert.ok(bytes < bytesMax, `${bytes} bytes`);
  });
}
