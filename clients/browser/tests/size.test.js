/** What a page pays for it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const FOUR_KB = 4000;

for (const entry of ['payment-refresh.js', 'react.js', 'openfeature.js']) {
  test(`${entry} is under 4 kB, minified and gzipped, with all that it needs`, async () => {
    const { outputFiles } = await build({
      entryPoints: [new URL(`../${entry}`, import.meta.url).pathname],
      bundle: true,
      minify: true,
      format: 'esm',
      external: ['react'],
      write: false,
    });
    const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
    console.log(`${entry}: ${bytes} bytes`);
    assert.ok(bytes < FOUR_KB, `${bytes} bytes`);
  });
}
