/** Every boundary, on both sides, one millisecond apart. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page, answerOf, ready } from './page.js';

/** Return a page whose refetches take no time, so that nothing else wakes it. */
const still = (world = {}, more = {}) => ready({ refetchTakesMs: 0, flagTakesMs: 0, ...world }, more);

test('a confirmation counts before 3 s, and at 3 s the client uses timers', async () => {
  for (const [joinedAt, isPush] of [[2999, true], [3000, false]]) {
    const page = await still({}, { joined: false });
    page.begin();
    await page.pass(joinedAt);
    page.join();
    await page.pass(0);
    assert.equal(page.state.isPush, isPush, `joined at ${joinedAt} ms`);
  }
});

test('without a confirmation the timers begin at 3 s, not at the next check', async () => {
  const page = await still({}, { joined: false });
  page.begin();
  await page.pass(2999);
  assert.deepEqual([page.refetches, page.state.isPush], [[0], true]);
  await page.pass(1);
  assert.deepEqual([page.refetches, page.state.isPush], [[0, 3000], false]);
});

test('the safety net, the timers and the last refetch run at their millisecond', async () => {
  const table = [
    // mode                   joined  expected
    ['push_with_safety_net', true, [0, 5000, 30_000]],
    ['push_only', true, [0, 30_000]],
    ['timer_polling', true, [0, 2000, 5000, 30_000]],
    ['push_with_safety_net', false, [0, 3000, 5000, 30_000]],
  ];
  for (const [mode, joined, expected] of table) {
    const page = await still({ answer: answerOf(mode) }, { joined });
    page.begin();
    await page.pass(30_000);
    assert.deepEqual(page.refetches, expected, `${mode}, ${joined ? 'joined' : 'not joined'}`);
  }
});

test('a lease of 15 s with an age of 4 s ends 11 s after its request', async () => {
  const page = new Page({ ageS: 4, refetchTakesMs: 0, flagTakesMs: 500 });
  page.make();
  page.began = page.t;
  page.payments.prepare();
  page.join();
  await page.pass(600);
  page.world.answer = null;
  page.payments.begin('pi_1');
  await page.pass(10_999 - 600);
  assert.deepEqual([page.state.isPush, page.refetches.length], [true, 1]);
  await page.pass(1);
  assert.deepEqual([page.state.isPush, page.refetches.length], [false, 2]);
});

test('a page that stops within 3 s leaves the report to the remounted page, and one that stops later reports', async () => {
  for (const [stoppedAt, reported] of [[100, 0], [2999, 0], [3000, 1]]) {
    const storage = new Map();
    const first = new Page({ refetchTakesMs: 0 }, storage);
    first.make().begin('pi_1');
    await first.pass(stoppedAt);
    first.payments.stop();
    assert.equal(first.reports.length, reported, `stopped at ${stoppedAt} ms`);
    const second = new Page({ refetchTakesMs: 0 }, storage);
    second.make().resume('pi_1');
    await second.pass(31_000);
    assert.equal(second.reports.length, 1 - reported, 'one report per payment');
  }
});

test('a report is sent at 30 s, paid or not', async () => {
  for (const paidAt of [0, Infinity]) {
    const page = await still({ paidAt });
    page.begin();
    await page.pass(29_999);
    assert.equal(page.reports.length, 0);
    await page.pass(1);
    assert.deepEqual(page.reports.map((report) => report.watched_ms), [30_000]);
  }
});

test('a stored payment is resumed until its hour is over', async () => {
  for (const [after, expected] of [[3_599_999, 'pi_1'], [3_600_000, null]]) {
    const storage = new Map();
    new Page({}, storage).make().expect('pi_1');
    const page = new Page({}, storage);
    page.wallAhead += after;
    page.make().resume();
    await page.pass(0);
    assert.equal(page.state.pending, expected, `after ${after} ms`);
  }
});

test('an answer of the flag does not delay the check of the channel', async () => {
  const page = await still({ answer: answerOf('push_only', { valid_for_s: 4 }), flagTakesMs: 900 });
  await page.pass(900);
  page.begin();
  await page.pass(1460);
  assert.equal(page.asked.length, 2, 'it has just checked, and sent a request');
  page.isLeft = true;
  await page.pass(1000);
  assert.ok(page.asked[1].isAnswered);
  assert.equal(page.state.isPush, false);
});

test('a page that is hidden before the token arrives reports at 30 s', async () => {
  const page = await still({ paidAt: 0 });
  page.begin();
  page.window.dispatch('pagehide', { persisted: true });
  await page.pass(29_999);
  assert.equal(page.reports.length, 0);
  await page.pass(1);
  assert.equal(page.reports.length, 1);
});

test('in every mode the watch of a paid payment ends at 30 s: a later push belongs to something else', async () => {
  for (const mode of ['timer_polling', 'push_with_safety_net', 'push_only']) {
    for (const [at, further] of [[29_999, 0], [30_000, 1]]) {
      const page = await still({ answer: answerOf(mode), paidAt: 0 });
      page.begin();
      await page.pass(at);
      const asked = page.refetches.length;
      page.payments.pushed();
      await page.pass(0);
      assert.equal(page.refetches.length, asked + further, `${mode}, ${at} ms`);
    }
  }
});

test('a payment that was reported early is watched until 30 s', async () => {
  const page = await still({ answer: answerOf('timer_polling'), paidAt: 0 });
  page.begin();
  await page.pass(4000);
  page.window.dispatch('pagehide', { persisted: true });
  await page.pass(2000);
  assert.deepEqual(page.refetches, [0, 2000, 5000]);
  page.payments.pushed();
  await page.pass(0);
  assert.equal(page.refetches.length, 3);
});

test('after it is found paid nothing refetches: no return, subscription or loss, and no waiting cause', async () => {
  const page = await still({ refetchTakesMs: 200 });
  page.begin();
  await page.pass(900);
  page.world.paidAt = page.t;
  page.push();
  await page.pass(100);
  page.window.dispatch('online'); // waits for the refetch in flight, which finds it paid
  await page.pass(200);
  assert.deepEqual([page.refetches, page.state.cleared], [[0, 900], true]);
  page.window.dispatch('online');
  page.document.dispatch('visibilitychange');
  page.window.dispatch('pageshow', { persisted: true });
  page.drop();
  page.join();
  page.push();
  await page.pass(40_000);
  assert.deepEqual(page.refetches, [0, 900]);
});
