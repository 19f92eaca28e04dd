/** The hook, with the real React, mounted and unmounted as an app does. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Window } from 'happy-dom';

const dom = new Window({ url: 'https://app.example.test/dashboard' });
Object.assign(globalThis, { window: dom, document: dom.document, IS_REACT_ACT_ENVIRONMENT: true });
globalThis.navigator ??= dom.navigator;

const { StrictMode, act, createElement } = await import('react');
const { createRoot } = await import('react-dom/client');
const { usePaymentRefresh } = await import('../react.js');
const { Page } = await import('./page.js');

/** Render a dashboard that watches, on a played page. */
async function dashboard({ strict = false, page = new Page({ paidAt: 0 }), returned } = {}) {
  let hook;
  let renders = 0;
  page.isUp = true;
  const options = page.options();
  function Dashboard() {
    renders += 1;
    hook = usePaymentRefresh({ ...options, returned, refetch: () => page.refetch() });
    return createElement('p', null, hook.pending ? 'Pay now' : hook.cleared ? 'paid' : 'nothing to pay');
  }
  const host = dom.document.createElement('div');
  const root = createRoot(host);
  const element = createElement(Dashboard);
  await act(async () => root.render(strict ? createElement(StrictMode, null, element) : element));
  return {
    page,
    host,
    root,
    hook: () => hook,
    renders: () => renders,
    pass: (ms) => act(async () => page.pass(ms)),
  };
}

test('a payment in the page is shown pending, and then paid', async () => {
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
  await act(async () => it.root.unmount());
});

test('the return page takes up its payment by itself, in StrictMode too, and reports it once', async () => {
  for (const strict of [false, true]) {
    const it = await dashboard({ strict, returned: 'pi_7' });
    await it.pass(31_000);
    assert.equal(it.host.textContent, 'paid');
    assert.deepEqual(it.page.reports.map((report) => [report.payment_intent, report.flow]), [['pi_7', 'redirect']]);
    await act(async () => it.root.unmount());
  }
});

test('unmounting leaves no timer, no listener and no subscription', async () => {
  const it = await dashboard({ strict: true, returned: 'pi_7', page: new Page() });
  await it.pass(1000);
  await act(async () => it.root.unmount());
  assert.deepEqual(it.page.listening, []);
  assert.deepEqual([it.page.window.listeners, it.page.document.listeners], [[], []]);
  assert.deepEqual(it.page.planned, []);
});

test('new functions with every render make nothing anew', async () => {
  const it = await dashboard();
  await it.pass(100);
  const asked = it.page.asked.length;
  for (let count = 0; count < 5; count++) await act(async () => it.hook().begin('pi_1'));
  await it.pass(100);
  assert.equal(it.page.asked.length, asked);
  assert.equal(it.page.listening.length, 1);
  await act(async () => it.root.unmount());
});
