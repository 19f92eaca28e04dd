/** The hook with the real React, the present and the previous major version, mounted and unmounted as in an app. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { Window } from 'happy-dom';
import { Page, answerOf } from './page.js';

const dom = new Window({ url: 'https://app.example.test/dashboard' });
Object.assign(globalThis, { window: dom, document: dom.document, IS_REACT_ACT_ENVIRONMENT: true });
globalThis.navigator ??= dom.navigator;

/** Bundle the hook with one React: the one that is installed beside the module. */
async function withReact(where) {
  const outfile = fileURLToPath(new URL(`${where}/node_modules/.cache/payment-refresh-hook.mjs`, import.meta.url));
  await build({
    stdin: {
      contents: `export { StrictMode, act, createElement, useEffect, version } from 'react';
        export { createRoot } from 'react-dom/client'; export { usePaymentRefresh } from '../react.js';`,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    external: ['react', 'react-dom'],
    bundle: true,
    format: 'esm',
    outfile,
    logLevel: 'error',
  });
  return import(pathToFileURL(outfile).href);
}

for (const [major, where] of [['18', 'react-18'], ['19', '..']]) {
  const { StrictMode, act, createElement, createRoot, useEffect, usePaymentRefresh, version } = await withReact(where);

  /** Render a dashboard with the hook on a simulated page. */
  const dashboard = async ({ strict = false, page = new Page({ paidAt: 0 }), joined = true, Child, ...options } = {}) => {
    let hook;
    page.isUp = joined;
    const played = page.options();
    function Dashboard(more) {
      hook = usePaymentRefresh({ ...played, ...options, ...more, refetch: (payment) => page.refetch(payment) });
      return createElement('p', null, hook.pending ? 'Pay now' : hook.cleared ? 'paid' : 'nothing to pay', Child && createElement(Child, hook));
    }
    const host = dom.document.createElement('div');
    const root = createRoot(host);
    const render = (more) => {
      const element = createElement(Dashboard, more);
      return act(async () => root.render(strict ? createElement(StrictMode, null, element) : element));
    };
    await render();
    const pass = (ms) => act(async () => page.pass(ms));
    return { page, host, played, render, pass, hook: () => hook, end: () => act(async () => root.unmount()) };
  };

  test(`React ${major}: it is this version`, () => {
    assert.equal(version.split('.')[0], major);
  });

  test(`React ${major}: a payment in the page is shown pending, and then paid`, async () => {
    const it = await dashboard();
    await it.pass(100);
    assert.equal(it.host.textContent, 'nothing to pay');
    it.page.world.paidAt = it.page.t + 900;
    await act(async () => it.hook().begin('pi_1'));
    assert.equal(it.host.textContent, 'Pay now');
    await it.pass(900);
    await act(async () => it.page.push());
    await it.pass(100);
    assert.equal(it.host.textContent, 'paid');
    assert.equal(it.page.asksFor, 'pi_1');
    await it.end();
  });

  test(`React ${major}: the return page resumes its payment, in StrictMode too, and reports it once`, async () => {
    for (const strict of [false, true]) {
      const it = await dashboard({ strict, returned: 'pi_7' });
      await it.pass(31_000);
      assert.equal(it.host.textContent, 'paid');
      assert.deepEqual(it.page.reports.map((report) => [report.payment_intent, report.flow]), [['pi_7', 'redirect']]);
      await it.end();
    }
  });

  test(`React ${major}: a stored payment is resumed without its id in the URL`, async () => {
    const storage = new Map();
    const before = await dashboard({ page: new Page({}, storage) });
    await act(async () => before.hook().expect('pi_8'));
    await before.end();
    const it = await dashboard({ strict: true, page: new Page({}, storage) });
    assert.equal(it.hook().pending, 'pi_8');
    await it.end();
  });

  test(`React ${major}: a router that removes the payment from the URL, or adds it late, restarts nothing`, async () => {
    const it = await dashboard({ page: new Page() });
    await it.render({ returned: 'pi_7' });
    await it.pass(1000);
    assert.equal(it.hook().pending, 'pi_7');
    await it.render({ returned: null });
    await it.pass(3000);
    assert.equal(it.hook().pending, 'pi_7');
    assert.equal(it.page.listening.length, 1);
    assert.deepEqual(it.page.reports, []);
    await it.end();
  });

  test(`React ${major}: unmounting removes every timer, listener and subscription`, async () => {
    const it = await dashboard({ strict: true, returned: 'pi_7', page: new Page() });
    await it.pass(1000);
    await it.end();
    assert.deepEqual(it.page.listening, []);
    assert.deepEqual([it.page.window.listeners, it.page.document.listeners], [[], []]);
    assert.deepEqual(it.page.planned, []);
  });

  test(`React ${major}: new functions and a new source with every render restart nothing`, async () => {
    const it = await dashboard();
    await it.pass(100);
    const asked = it.page.asked.length;
    for (let count = 0; count < 5; count++) {
      await it.render({ source: { listen: (...all) => it.played.source.listen(...all) }, token: async () => 'd.e.f' });
      await act(async () => it.hook().begin('pi_1'));
    }
    await it.pass(100);
    assert.equal(it.page.asked.length, asked);
    assert.equal(it.page.listening.length, 1);
    await it.end();
  });

  test(`React ${major}: the functions of the last render are called`, async () => {
    const it = await dashboard();
    const said = [];
    await it.render({ token: () => 'of.the.last', onChange: (state) => said.push(state.pending) });
    await act(async () => it.hook().begin('pi_1'));
    await it.pass(31_000);
    assert.equal(it.page.reports[0].token, 'of.the.last');
    assert.deepEqual([...new Set(said)], ['pi_1', null]);
    await it.end();
  });

  test(`React ${major}: an Echo that is created late is used, and another user restarts the hook`, async () => {
    const it = await dashboard({ source: null });
    await it.pass(100);
    assert.equal(it.page.listening.length, 0);
    await it.render({ source: it.played.source });
    assert.equal(it.page.listening.length, 1);
    await act(async () => it.hook().begin('pi_1'));
    await it.render({ source: it.played.source, targetingKey: '8' });
    await it.pass(100);
    assert.equal(new URL(it.page.asked.at(-1).url).searchParams.get('targeting_key'), '8');
    assert.equal(it.page.listening.length, 1);
    await it.end();
  });

  test(`React ${major}: a push that the app's own hook receives refetches once`, async () => {
    const it = await dashboard({ page: new Page({ answer: answerOf('push_only') }) });
    await it.pass(100);
    await act(async () => it.hook().begin('pi_1'));
    await it.pass(900);
    it.page.world.paidAt = 0;
    await act(async () => it.hook().pushed({ contexts: ['bookings'] }));
    await it.pass(5000);
    assert.equal(it.page.refetches.length, 2);
    await it.end();
  });

  test(`React ${major}: a child can begin a payment in its first effect`, async () => {
    function Child({ begin }) {
      useEffect(() => void begin('pi_3', { flow: 'redirect' }), [begin]);
      return null;
    }
    for (const strict of [false, true]) {
      const it = await dashboard({ strict, Child, returned: 'pi_2' });
      await it.pass(31_000);
      assert.equal(it.page.asksFor, 'pi_3');
      assert.deepEqual(it.page.reports.map((report) => report.payment_intent), ['pi_3']);
      await it.end();
    }
  });

  test(`React ${major}: a payment of this page survives a restart of the hook, whatever the URL names`, async () => {
    const it = await dashboard({ page: new Page(), returned: 'pi_1' });
    await act(async () => it.hook().begin('pi_2'));
    await it.render({ targetingKey: '8' });
    assert.equal(it.hook().pending, 'pi_2');
    await it.end();
  });
}
