/** The behaviour of the page after a payment, rule by rule, in literal times. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page, answerOf, ready } from './page.js';

const near = (times, expected) => {
  assert.equal(times.length, expected.length, `refetched at ${times}`);
  times.forEach((at, index) => assert.ok(Math.abs(at - expected[index]) <= 40, `refetched at ${times}`));
};

test('with timers the page refetches at 0, 2 and 5 s: three requests, as before', async () => {
  const page = await ready({ answer: answerOf('timer_polling'), paidAt: 2600 });
  page.begin();
  page.world.paidAt = page.t + 900;
  await page.pass(900);
  page.push();
  await page.pass(31_000);
  near(page.refetches, [0, 2000, 5000]);
  assert.equal(page.reports[0].cleared_by, 'timer');
  assert.equal(page.reports[0].pushed_after_ms, 900);
});

test('with timers a push after the last of them causes a refetch', async () => {
  const page = await ready({ answer: answerOf('timer_polling') });
  page.begin();
  page.world.paidAt = page.t + 8000;
  await page.pass(8000);
  page.push();
  await page.pass(100);
  near(page.refetches, [0, 2000, 5000, 8000]);
  assert.equal(page.state.cleared, true);
});

test('with push there are two requests, or one if the first already finds it paid', async () => {
  for (const [paidAfter, expected] of [[900, [0, 900]], [0, [0]]]) {
    const page = await ready();
    page.begin();
    page.world.paidAt = page.t + paidAfter;
    await page.pass(900);
    page.push();
    await page.pass(31_000);
    near(page.refetches, expected);
    assert.equal(page.reports[0].refetches, expected.length);
    assert.equal(page.reports[0].mode, 'push_only');
  }
});

test('the safety net is one refetch at 5 s, only if nothing cleared it by then', async () => {
  for (const [pushes, expected] of [[false, [0, 5000]], [true, [0, 900]]]) {
    const page = await ready({ answer: answerOf('push_with_safety_net') });
    page.begin();
    page.world.paidAt = page.t + 900;
    await page.pass(900);
    if (pushes) page.push();
    await page.pass(31_000);
    near(page.refetches, expected);
  }
});

test('a push that is lost under push_only is cleared at 30 s', async () => {
  const page = await ready();
  page.begin();
  page.world.paidAt = page.t + 900;
  await page.pass(31_000);
  near(page.refetches, [0, 30_000]);
  assert.equal(page.reports[0].cleared_by, 'last');
});

test('without a confirmation within 3 s the page uses timers, and the overdue ones refetch once', async () => {
  const page = await ready({}, { joined: false });
  page.begin();
  await page.pass(2999);
  near(page.refetches, [0]);
  await page.pass(10_000);
  near(page.refetches, [0, 3000, 5000]);
  assert.equal(page.state.isPush, false);
});

test('after a refusal the page uses timers at once', async () => {
  const page = await ready({}, { joined: false });
  page.refuse(403);
  page.begin();
  await page.pass(31_000);
  near(page.refetches, [0, 2000, 5000, 30_000]);
  assert.equal(page.reports[0].subscription, 'refused');
  assert.equal(page.reports[0].auth_status, 403);
  assert.equal(page.reports[0].mode, 'timer_polling');
});

test('each confirmation causes a refetch: the broadcast may have been sent before', async () => {
  const page = await ready({}, { joined: false });
  page.begin('pi_1', { flow: 'redirect' });
  page.world.paidAt = page.t + 100;
  await page.pass(400);
  page.join();
  await page.pass(31_000);
  near(page.refetches, [0, 400]);
  assert.equal(page.reports[0].cleared_by, 'subscribe');
  assert.equal(page.reports[0].subscribed_after_ms, 400);
});

test('a lost connection causes a refetch and timers, and its return another refetch', async () => {
  const page = await ready();
  page.begin();
  await page.pass(1000);
  page.drop();
  await page.pass(500);
  page.world.paidAt = page.t;
  page.join();
  await page.pass(31_000);
  near(page.refetches, [0, 1000, 1500]);
  assert.equal(page.reports[0].cleared_by, 'subscribe');
});

test('a flag that falls while a payment is pending causes a refetch and timers', async () => {
  const page = await ready();
  page.begin();
  page.world.answer = answerOf('timer_polling', { version: 8 });
  await page.pass(31_000);
  assert.ok(page.refetches.length >= 3);
  const moved = page.refetches[1];
  assert.ok(moved > 1000 && moved < 9000, `moved at ${moved}`);
  assert.equal(page.state.isPush, false);
});

test('an expired lease causes a refetch and timers', async () => {
  const page = await ready();
  page.world.answer = null;
  page.begin();
  page.world.paidAt = page.t + 1000;
  await page.pass(31_000);
  near(page.refetches, [0, 14_900]);
  assert.equal(page.reports[0].cleared_by, 'lease');
});

test('the lease is renewed while a payment is pending, and only then', async () => {
  const page = await ready();
  await page.pass(60_000);
  assert.equal(page.asked.length, 1);
  page.begin();
  await page.pass(29_000);
  assert.ok(page.asked.length >= 4, `asked ${page.asked.length} times`);
  assert.equal(page.state.isPush, true);
  const asked = page.asked.length;
  page.world.paidAt = 0;
  page.push();
  await page.pass(60_000);
  assert.equal(page.asked.length, asked);
});

test('the wall clock counts too: after sleep an older answer has expired', async () => {
  const page = await ready();
  page.world.answer = null;
  page.begin();
  await page.pass(1000);
  page.wallAhead += 600_000;
  page.document.dispatch('visibilitychange');
  await page.pass(100);
  assert.equal(page.state.isPush, false);
});

test('the age of a cached answer is subtracted, and an old answer gives timers', async () => {
  for (const [ageS, isPush] of [[0, true], [14, true], [15, false], [3600, false]]) {
    const page = await ready({ ageS });
    page.begin();
    await page.pass(200);
    assert.equal(page.state.isPush, isPush, `Age ${ageS}`);
  }
});

test('only a newer answer renews the lease: a proxy that repeats one cannot prolong push', async () => {
  const page = await ready({ issuedAt: 1_800_000_000_500 });
  page.begin();
  page.world.paidAt = page.t + 1000;
  await page.pass(31_000);
  near(page.refetches, [0, 14_900]);
});

test('timers are taken whatever their date: a sidecar whose clock was set back can take push back', async () => {
  for (const issuedAt of [1, 1_700_000_000_000, 'none']) {
    const page = await ready();
    page.begin();
    await page.pass(1000);
    assert.equal(page.state.isPush, true);
    page.world.issuedAt = issuedAt;
    page.world.answer = answerOf('timer_polling');
    await page.pass(8000);
    assert.equal(page.state.isPush, false, `issued at ${issuedAt}`);
    page.world.answer = answerOf('push_only');
    await page.pass(8000);
    assert.equal(page.state.isPush, false, 'a push that is not newer is not');
  }
});

test('every request has a random value and the targeting key', async () => {
  const page = await ready();
  const url = new URL(page.asked[0].url);
  assert.ok(url.searchParams.get('_'));
  assert.equal(url.searchParams.get('targeting_key'), '7');
});

test('an invalid answer gives timers', async () => {
  const bad = [
    'not json', '[]', 'null', {}, answerOf('push'), answerOf('push_only', { refetch_after_ms: 'x' }),
    answerOf('push_only', { refetch_after_ms: [-1] }), answerOf('push_only', { refetch_after_ms: [1e9] }),
    answerOf('push_only', { refetch_after_ms: Array(11).fill(0) }), answerOf('push_only', { safety_net_ms: '5' }),
    answerOf('push_only', { valid_for_s: -1 }), answerOf('push_only', { valid_for_s: 'x' }),
    answerOf('push_only', { version: 1.5 }), answerOf('push_only', { valid_for_s: 86_400 }),
    answerOf('timer_polling', { refetch_after_ms: [] }), answerOf('timer_polling', { refetch_after_ms: [0, 45_000] }),
  ];
  for (const answer of bad) {
    const page = await ready({ answer });
    page.begin();
    await page.pass(6000);
    near(page.refetches, [0, 2000, 5000]);
    page.payments.stop();
  }
  const page = await ready({ status: 503 });
  page.begin();
  await page.pass(6000);
  near(page.refetches, [0, 2000, 5000]);
});

test('a push that finds the booking not paid is retried once after a second, and reported', async () => {
  const page = await ready();
  page.begin();
  page.world.paidAt = page.t + 900;
  page.world.isStaleUntil = page.t + 1500;
  await page.pass(900);
  page.push();
  await page.pass(31_000);
  near(page.refetches, [0, 900, 1930]);
  assert.equal(page.reports[0].stale_refetches, 1);
  assert.equal(page.reports[0].cleared_by, 'push');
});

test('a push before the flag is known causes a refetch when the flag is push', async () => {
  const page = new Page({ flagTakesMs: 800 });
  page.make();
  page.isUp = true;
  page.begin();
  page.world.paidAt = page.t + 200;
  await page.pass(300);
  page.push();
  await page.pass(31_000);
  near(page.refetches, [0, 800]);
  assert.equal(page.reports[0].cleared_by, 'push');
  assert.equal(page.reports[0].mode, 'push_only');
});

test('causes during a refetch wait, and lead to one more', async () => {
  const page = await ready({ refetchTakesMs: 2000 });
  page.begin();
  for (let count = 0; count < 5; count++) {
    await page.pass(100);
    page.push();
  }
  page.world.paidAt = page.t;
  await page.pass(6000);
  near(page.refetches, [0, 2000]);
});

test('a refetch that fails or hangs is "not paid", and does not stop the schedule', async () => {
  for (const world of [{ refetchFails: true }, { refetchTakesMs: 1e9 }]) {
    const page = await ready(world);
    page.begin();
    await page.pass(500);
    page.push();
    await page.pass(12_000);
    Object.assign(page.world, { refetchFails: false, refetchTakesMs: 10, paidAt: 0 });
    await page.pass(20_000);
    assert.equal(page.state.cleared, true);
  }
});

test('a page that returns refetches, whatever its absence', async () => {
  const events = [
    (page) => page.window.dispatch('online'),
    (page) => page.window.dispatch('pageshow', { persisted: true }),
    (page) => page.document.dispatch('visibilitychange'),
  ];
  for (const come of events) {
    const page = await ready();
    page.begin();
    page.world.paidAt = page.t + 1000;
    await page.pass(4000);
    come(page);
    await page.pass(31_000);
    near(page.refetches, [0, 4000]);
    assert.equal(page.reports[0].cleared_by, 'return');
  }
});

test('a page that was frozen for ten minutes refetches once on return', async () => {
  const page = await ready();
  page.begin();
  page.world.paidAt = page.t + 1000;
  await page.pass(500);
  await page.freeze(600_000);
  await page.pass(1000);
  assert.equal(page.state.cleared, true);
  assert.ok(page.refetches.length <= 3, `refetched at ${page.refetches}`);
});

test('a page that was frozen beyond the lease reports `return`, also if its timers run first', async () => {
  for (const timersFirst of [false, true]) {
    const page = await ready({ answer: answerOf('push_only') });
    page.begin();
    page.world.paidAt = page.t + 1000;
    await page.pass(500);
    await page.freeze(600_000, { timersFirst });
    await page.pass(1000);
    assert.deepEqual(page.reports.map(({ cleared_by }) => cleared_by), ['return']);
    assert.equal(page.refetches.length, 2);
  }
});

test('a page whose machine slept reports `return`, also while it is hidden and its monotonic clock stood still', async () => {
  for (const visibilityState of ['hidden', 'visible']) {
    const page = await ready({ answer: answerOf('push_only') });
    page.begin();
    page.world.paidAt = page.t + 1000;
    await page.pass(500);
    page.document.visibilityState = visibilityState;
    page.world.answer = null;
    page.wallAhead += 600_000;
    await page.pass(31_000);
    assert.deepEqual(page.reports.map(({ cleared_by }) => cleared_by), ['return']);
    assert.equal(page.refetches.length, 2);
  }
});

test('a timer that is late by less is not a return', async () => {
  const page = await ready({ answer: answerOf('push_only', { valid_for_s: 4 }) });
  page.begin();
  page.world.paidAt = page.t + 1000;
  page.isFrozen = true;
  await page.pass(3900);
  page.isFrozen = false;
  await page.pass(31_000);
  assert.notEqual(page.reports[0].cleared_by, 'return');
});

test('a payment is stored across the redirect, for an hour', async () => {
  const storage = new Map();
  const before = new Page({}, storage);
  before.make().expect('pi_9');
  before.payments.stop();
  const after = new Page({ paidAt: 0 }, storage);
  after.make();
  after.began = after.t;
  after.payments.resume();
  await after.pass(31_000);
  assert.deepEqual([after.reports[0].payment_intent, after.reports[0].flow], ['pi_9', 'redirect']);
  assert.equal(storage.size, 0);
  before.payments.expect('pi_9');
  const late = new Page({}, storage);
  late.wallAhead += 3_700_000;
  late.make().resume();
  await late.pass(100);
  assert.equal(late.state.pending, null);
});

test('an invalid stored payment is ignored', async () => {
  for (const kept of ['not json', 'null', '{}', '{"payment":7,"at":1}', '{"payment":"pi_1","at":"x"}']) {
    const page = new Page({}, new Map([['reverb-sidecar:payment', kept]]));
    page.make().resume();
    await page.pass(100);
    assert.equal(page.state.pending, null);
  }
  const broken = () => {
    throw new Error('denied');
  };
  const page = new Page({ paidAt: 0 });
  const storage = { getItem: broken, setItem: broken, removeItem: broken };
  page.make({ environment: { ...page.options().environment, storage } });
  page.payments.expect('pi_1');
  page.payments.resume();
  page.begin();
  await page.pass(100);
  assert.equal(page.state.cleared, true);
});

test('a page that is left reports once', async () => {
  const page = await ready();
  page.begin();
  page.world.paidAt = page.t;
  await page.pass(5000);
  page.window.dispatch('pagehide', { persisted: true });
  page.window.dispatch('pagehide', { persisted: true });
  await page.pass(60_000);
  assert.equal(page.reports.length, 1);
  assert.ok(page.reports[0].watched_ms >= 5000 && page.reports[0].watched_ms < 5100);
});

test('a report has every field that the sidecar requires, with whole numbers', async () => {
  const page = await ready();
  page.t += 0.4;
  page.begin();
  page.world.paidAt = page.t + 500;
  await page.pass(500.3);
  page.push();
  await page.pass(31_000);
  const { at, url, ...report } = page.reports[0];
  assert.equal(url, 'https://sidecar.example.test/acks');
  assert.deepEqual(Object.keys(report).sort(), [
    'cleared_after_ms', 'cleared_by', 'flow', 'mode', 'payment_intent', 'pushed_after_ms', 'refetches',
    'stale_refetches', 'subscribed_after_ms', 'subscription', 'token', 'version', 'watched_ms',
  ]);
  for (const [name, value] of Object.entries(report)) if (name.endsWith('_ms')) assert.ok(Number.isInteger(value), name);
});

test('without a token, or with one that fails or hangs, nothing is reported and the page works', async () => {
  const tokens = [null, undefined, () => null, () => { throw new Error('x'); }, () => new Promise(() => {})];
  for (const token of tokens) {
    const page = await ready({ paidAt: 0 }, { options: { token } });
    page.begin();
    await page.pass(31_000);
    assert.equal(page.reports.length, 0);
    assert.equal(page.state.cleared, true);
  }
});

test('a token that arrives late, as in a page that was frozen meanwhile, is used', async () => {
  const page = await ready({ paidAt: 0 });
  page.world.token = page.later(29_000).then(() => 'a.b.c');
  page.begin();
  await page.pass(31_000);
  assert.deepEqual(page.reports.map(({ token }) => token), ['a.b.c']);
});

test('a token that arrives after the end of the watch is used at once, for one report', async () => {
  for (const paidAt of [0, Infinity]) {
    const page = await ready({ paidAt });
    page.world.token = page.later(35_000).then(() => 'a.b.c');
    page.begin();
    await page.pass(34_000);
    assert.deepEqual(page.reports, []);
    await page.pass(2000);
    assert.deepEqual(page.reports.map(({ watched_ms }) => watched_ms), [35_000]);
    await page.pass(60_000);
    assert.equal(page.reports.length, 1);
  }
});

test('a report that the beacon rejects is sent by fetch', async () => {
  const page = await ready({ isBeaconFull: true, paidAt: 0 });
  page.begin();
  await page.pass(31_000);
  assert.equal(page.reports[0].isFetched, true);
});

test("an app's own listener can report the push, and nothing is fetched twice", async () => {
  const page = await ready();
  page.payments.pushed();
  await page.pass(50);
  assert.equal(page.refetches.length, 1, 'nothing is pending: the push belongs to something else');
  page.refetches = [];
  page.begin();
  page.world.paidAt = page.t + 900;
  await page.pass(900);
  page.payments.pushed();
  await page.pass(100);
  near(page.refetches, [0, 900]);
});

test('the push of a payment that the first refetch found paid causes no request', async () => {
  const page = await ready({ paidAt: 0 });
  page.begin();
  await page.pass(500);
  page.payments.pushed();
  await page.pass(100);
  near(page.refetches, [0]);
  page.payments.pushed();
  await page.pass(100);
  assert.equal(page.refetches.length, 2, 'the next one is of something else');
});

test('two payments in succession are two watches, and the same one twice is one', async () => {
  const page = await ready();
  page.begin('pi_1');
  page.begin('pi_1');
  await page.pass(4000);
  assert.equal(page.refetches.length, 1);
  page.begin('pi_2');
  page.world.paidAt = 0;
  await page.pass(31_000);
  assert.deepEqual(page.reports.map((report) => report.payment_intent), ['pi_1', 'pi_2']);
});

test('stop removes every timer and listener, and nothing runs after it', async () => {
  const page = await ready();
  page.begin();
  await page.pass(4000);
  page.payments.stop();
  const refetched = page.refetches.length;
  assert.deepEqual(page.planned, []);
  assert.deepEqual([page.window.listeners, page.document.listeners, page.listening], [[], [], []]);
  page.payments.begin('pi_2');
  page.payments.prepare();
  await page.pass(60_000);
  assert.equal(page.refetches.length, refetched);
  assert.equal(page.reports.length, 1);
});

test('a page that is mounted twice, as in StrictMode, sends one report of one payment', async () => {
  const storage = new Map();
  const first = new Page({}, storage);
  first.make().expect('pi_1');
  first.payments.resume('pi_1');
  first.payments.stop();
  const page = new Page({ paidAt: 0 }, storage);
  page.make();
  page.began = page.t;
  page.payments.resume('pi_1');
  await page.pass(31_000);
  assert.deepEqual([first.reports.length, page.reports.length], [0, 1]);
});

test('a booking that takes longer than 30 s is still cleared by the next push', async () => {
  const page = await ready();
  page.begin();
  await page.pass(60_000);
  page.world.paidAt = page.t;
  page.push();
  await page.pass(100);
  assert.equal(page.state.cleared, true);
});

test('after an hour nothing is pending', async () => {
  const page = await ready();
  page.begin();
  await page.pass(3_600_100);
  assert.equal(page.state.pending, null);
  assert.equal(page.storage.size, 0);
  assert.deepEqual(page.planned, []);
});

/** An EventSource that the test controls. */
class Stream {
  static all = [];
  constructor(url) {
    this.url = url;
    Stream.all.push(this);
  }
  say(page, answer, issuedAt = page.t + page.wallAhead) {
    this.onmessage({ data: JSON.stringify({ ...answer, issued_at: issuedAt }) });
  }
  close() {
    this.isClosed = true;
  }
}

test('a stream is opened only if configured and while a payment is pending, and its events apply at once', async () => {
  const page = await ready({}, { options: { streamUrl: 'https://sidecar.example.test/flags/payment-refresh/stream' } });
  page.payments.stop();
  const streaming = new Page();
  streaming.EventSource = Stream;
  streaming.make({ streamUrl: 'https://sidecar.example.test/flags/payment-refresh/stream' });
  streaming.payments.prepare();
  streaming.join();
  await streaming.pass(100);
  assert.equal(Stream.all.length, 0);
  streaming.begin();
  const [stream] = Stream.all;
  assert.equal(new URL(stream.url).searchParams.get('targeting_key'), '7');
  await streaming.pass(1000);
  stream.onmessage({ data: 'garbage' });
  stream.say(streaming, answerOf('push_with_safety_net', { version: 8 }), 5);
  assert.equal(streaming.state.mode, 'push_only', 'an old push moves nothing');
  stream.say(streaming, answerOf('timer_polling', { version: 8 }));
  await streaming.pass(50);
  assert.equal(streaming.state.isPush, false);
  near(streaming.refetches, [0, 1000]);
  streaming.world.paidAt = 0;
  await streaming.pass(31_000);
  assert.equal(stream.isClosed, true);
});

test('timers of a stream are taken whatever their date, and without one', async () => {
  for (const issued of [5, null, 'x', undefined]) {
    Stream.all = [];
    const page = new Page();
    page.EventSource = Stream;
    page.make({ streamUrl: 'https://sidecar.example.test/flags/payment-refresh/stream' });
    page.payments.prepare();
    page.join();
    await page.pass(100);
    page.begin();
    await page.pass(1000);
    assert.equal(page.state.isPush, true);
    const asked = page.asked.length;
    Stream.all[0].onmessage({ data: JSON.stringify({ ...answerOf('timer_polling', { version: 8 }), issued_at: issued }) });
    await page.pass(50);
    assert.equal(page.state.isPush, false, `issued at ${issued}`);
    await page.pass(16_000);
    assert.ok(page.asked.length > asked, 'the flag is still asked for');
  }
});

test('a wall clock that is set back does not prolong a lease', async () => {
  const page = await ready();
  page.world.answer = null;
  page.begin();
  page.world.paidAt = page.t + 1000;
  page.wallAhead -= 600_000;
  await page.pass(31_000);
  near(page.refetches, [0, 14_900]);
});

test('a page that is reloaded during the wait resumes its payment', async () => {
  const storage = new Map();
  const before = new Page({}, storage);
  before.make();
  before.begin('pi_5');
  await before.pass(1000);
  const after = new Page({ paidAt: 0 }, storage);
  after.make();
  after.began = after.t;
  after.payments.resume();
  await after.pass(31_000);
  assert.deepEqual([after.reports[0].payment_intent, after.reports[0].flow], ['pi_5', 'in_page']);
});

test('the age of a queued event of the stream counts from its issue', async () => {
  Stream.all = [];
  const page = new Page();
  page.EventSource = Stream;
  page.make({ streamUrl: 'https://sidecar.example.test/flags/payment-refresh/stream' });
  page.payments.prepare();
  page.join();
  await page.pass(100);
  page.world.answer = null;
  page.begin();
  await page.pass(5000);
  const [stream] = Stream.all;
  stream.say(page, answerOf('push_only', { version: 8 }));
  await page.pass(12_000);
  assert.equal(page.state.isPush, true, 'renewed at 5 s for 15 s');
  const then = page.t + page.wallAhead;
  await page.pass(14_000);
  stream.say(page, answerOf('push_only', { version: 9 }), then);
  await page.pass(2000);
  assert.equal(page.state.isPush, false, 'said 14 s before it was read: one second was left');
});

test('with timers the answer defines the schedule', async () => {
  const page = await ready({ answer: answerOf('timer_polling', { refetch_after_ms: [0, 1000, 3000, 8000] }) });
  page.begin();
  await page.pass(2000);
  page.push();
  await page.pass(29_000);
  near(page.refetches, [0, 1000, 3000, 4030, 8000, 30_000]);
});

test('with timers a push that is left to the last of them is retried once if that finds the booking not paid', async () => {
  const page = await ready({ answer: answerOf('timer_polling') });
  page.begin();
  page.world.paidAt = page.t + 4900;
  page.world.isStaleUntil = page.t + 5500;
  await page.pass(4900);
  page.push();
  await page.pass(31_000);
  near(page.refetches, [0, 2000, 5000, 6030]);
  assert.deepEqual([page.reports[0].cleared_by, page.reports[0].stale_refetches], ['push', 1]);
});

test('every push has one retry, and a retry has none', async () => {
  const page = await ready();
  page.begin();
  await page.pass(900);
  page.push();
  await page.pass(3100);
  page.world.paidAt = page.t;
  page.world.isStaleUntil = page.t + 500;
  page.push();
  await page.pass(31_000);
  near(page.refetches, [0, 900, 1930, 4000, 5030]);
  assert.deepEqual([page.reports[0].cleared_by, page.reports[0].stale_refetches], ['push', 3]);
});

test('a push that waits for a refetch in flight behind another cause has its retry too', async () => {
  const page = await ready({ refetchTakesMs: 500 });
  page.begin();
  await page.pass(100);
  page.window.dispatch('online');
  page.world.paidAt = page.t;
  page.world.isStaleUntil = page.t + 1000;
  page.push();
  await page.pass(31_000);
  near(page.refetches, [0, 500, 2000]);
});

test('a cause before a request is sent is covered by that request', async () => {
  const page = await ready();
  page.begin();
  page.push();
  page.window.dispatch('online');
  page.document.dispatch('visibilitychange');
  await page.pass(900);
  assert.equal(page.refetches.length, 1);
});

test('if the channel is already joined, the return page refetches once, whenever the flag arrives', async () => {
  const page = new Page({ flagTakesMs: 300 });
  page.make();
  page.isUp = true;
  page.began = page.t;
  page.payments.resume('pi_1');
  await page.pass(900);
  near(page.refetches, [0]);
  page.world.paidAt = page.t;
  page.push();
  await page.pass(31_000);
  near(page.refetches, [0, 900]);
  assert.equal(page.reports[0].subscribed_after_ms, 0);
});

test('a refetch by a timer is not repeated when the flag arrives late', async () => {
  const page = new Page({ flagTakesMs: 3000 });
  page.make();
  page.begin();
  await page.pass(1000);
  page.join();
  await page.pass(4900);
  near(page.refetches, [0, 2000]);
});

test('the page does not rely on a channel that the app left without an event', async () => {
  const page = await ready();
  page.begin();
  await page.pass(1500);
  page.isLeft = true;
  page.world.paidAt = page.t;
  await page.pass(31_000);
  assert.equal(page.state.cleared, true);
  assert.equal(page.refetches.length, 2);
  assert.ok(page.refetches[1] <= 2600, `refetched at ${page.refetches}`);
});

test('the page does not rely on a channel that the app left before the payment', async () => {
  const page = await ready();
  page.isLeft = true;
  page.begin();
  assert.equal(page.reports.length, 0);
  await page.pass(31_000);
  assert.equal(page.reports[0].subscribed_after_ms, undefined);
  near(page.refetches, [0, 3000, 5000, 30_000]);
});

test('a safety net whose time has passed runs at once, unless a refetch ran since', async () => {
  for (const [returnsAfter, expected] of [[1000, [0, 1000, 7430]], [6000, [0, 6000]]]) {
    const page = await ready();
    page.world.answer = answerOf('push_with_safety_net', { version: 8 });
    page.begin();
    await page.pass(returnsAfter);
    page.window.dispatch('online');
    await page.pass(9000 - returnsAfter);
    near(page.refetches, expected);
  }
});

test('an older answer is renewed sooner', async () => {
  const page = await ready({ ageS: 9 });
  page.begin();
  await page.pass(4000);
  assert.ok(page.asked.length >= 2 && page.asked[1].at - page.began < 3100, JSON.stringify(page.asked));
  assert.equal(page.state.isPush, true);
});

test('an answer with an invalid age is rejected', async () => {
  for (const ageS of ['soon', '5, 7', -1]) {
    const page = await ready({ ageS });
    page.begin();
    await page.pass(300);
    assert.equal(page.state.isPush, false, `Age: ${ageS}`);
  }
});

test('an answer whose lease has expired does not count: the report has version 0', async () => {
  const page = await ready();
  await page.pass(60_000);
  page.world.answer = null;
  page.begin();
  await page.pass(31_000);
  assert.deepEqual([page.reports[0].mode, page.reports[0].version], ['timer_polling', 0]);
});

test('`refetch` receives the payment', async () => {
  const page = await ready();
  page.begin('pi_42');
  await page.pass(100);
  assert.equal(page.asksFor, 'pi_42');
});

test('a payment that is found paid is removed from storage, and the next expected one is not', async () => {
  const page = await ready();
  page.begin('pi_1');
  await page.pass(900);
  page.payments.expect('pi_2');
  page.world.paidAt = 0;
  page.push();
  await page.pass(100);
  assert.equal(JSON.parse(page.storage.get('reverb-sidecar:payment')).payment, 'pi_2');
});

test("a page to which the back button returns from Stripe refetches at once: the payment may have completed there", async () => {
  const page = await ready();
  page.payments.expect('pi_1');
  page.document.dispatch('visibilitychange');
  await page.pass(100);
  assert.equal(page.refetches.length, 0, 'it has not even left');
  await page.freeze(120_000);
  page.world.paidAt = 0;
  page.began = page.t;
  page.window.dispatch('pageshow', { persisted: true });
  await page.pass(100);
  assert.deepEqual([page.refetches.length, page.state.cleared], [1, true]);
});

test('a page that is reloaded after its report does not report again', async () => {
  const storage = new Map();
  const before = new Page({}, storage);
  before.make().begin('pi_1');
  await before.pass(4000);
  before.window.dispatch('pagehide', {});
  const after = new Page({}, storage);
  after.make().resume('pi_1');
  await after.pass(40_000);
  after.payments.stop();
  assert.deepEqual([before.reports.length, after.reports.length], [1, 0]);
});

test('a tab and its duplicate each watch the payment independently', async () => {
  const storage = new Map();
  const one = new Page({ paidAt: 2000 }, storage);
  one.make().begin('pi_1');
  await one.pass(500);
  const other = new Page({ paidAt: 2000 }, new Map(storage)); // a duplicate starts with a copy
  other.make().resume();
  await one.pass(31_000);
  await other.pass(31_000);
  assert.deepEqual([one.state.cleared, other.state.cleared], [true, true]);
  assert.deepEqual([one.storage.size, other.storage.size], [0, 0]);
});

test('a clock that was set back during the redirect does not lose the payment', async () => {
  const storage = new Map();
  const before = new Page({}, storage);
  before.make().expect('pi_1');
  const after = new Page({}, storage);
  after.wallAhead -= 60_000;
  after.make().resume();
  assert.equal(after.state.pending, 'pi_1');
});

test('reloads of the page do not prolong the hour', async () => {
  const storage = new Map();
  const before = new Page({}, storage);
  before.make().begin('pi_1');
  await before.pass(3_000_000);
  const after = new Page({}, storage);
  after.t = before.t;
  after.make().resume('pi_1');
  await after.pass(700_000);
  assert.equal(after.state.pending, null);
});

test('at the end of the hour the page refetches a last time', async () => {
  for (const sleeps of [false, true]) {
    const page = await ready();
    page.begin();
    await page.pass(50_000);
    const asked = page.refetches.length;
    if (sleeps) {
      page.wallAhead += 3_600_000;
      page.window.dispatch('online');
    }
    await page.pass(sleeps ? 100 : 3_600_000);
    assert.equal(page.refetches.length, asked + 1);
    assert.deepEqual([page.state.pending, page.planned], [null, []]);
  }
});

test('a wall clock that is set back does not prolong the watch beyond the hour', async () => {
  const page = await ready();
  page.begin();
  page.wallAhead -= 600_000;
  const before = page.ids;
  await page.pass(3_700_000);
  assert.deepEqual([page.state.pending, page.planned], [null, []]);
  assert.ok(page.ids - before < 200, `${page.ids - before} timers`);
});

test('stop during requests removes everything, and reports no state', async () => {
  const page = new Page({ flagTakesMs: 4000, refetchTakesMs: 4000, token: new Promise(() => {}) });
  page.make();
  page.begin();
  await page.pass(100);
  const said = page.states.length;
  assert.ok(page.planned.length >= 2, 'a refetch and a question are on their way');
  page.payments.stop();
  assert.deepEqual(page.planned, []);
  assert.equal(page.signal.aborted, true);
  await page.pass(60_000);
  assert.deepEqual([page.planned, page.states.length, page.refetches.length], [[], said, 1]);
});

test('a source that is not ready is tried again with the next payment', async () => {
  const page = new Page();
  const { source } = page.options();
  let isThere = false;
  page.make({
    source: {
      listen: (listener) => {
        if (!isThere) throw new TypeError('Echo is undefined');
        return source.listen(listener);
      },
    },
  });
  page.payments.prepare();
  page.begin();
  await page.pass(4000);
  near(page.refetches, [0, 3000]);
  isThere = true;
  page.isUp = true;
  page.begin('pi_2');
  await page.pass(100);
  assert.equal(page.state.isPush, true);
});

test('a stream is closed at 30 s, paid or not', async () => {
  Stream.all = [];
  const page = new Page();
  page.EventSource = Stream;
  page.make({ streamUrl: 'https://sidecar.example.test/flags/payment-refresh/stream' });
  page.begin();
  await page.pass(29_900);
  const [stream] = Stream.all;
  assert.equal(stream.isClosed, undefined);
  await page.pass(200);
  assert.equal(stream.isClosed, true);
  assert.equal(page.state.pending, 'pi_1');
});

test('requests to a sidecar that does not respond back off', async () => {
  const page = await ready({ answer: null });
  page.begin();
  await page.pass(60_000);
  const times = page.asked.map(({ at }) => at - page.began).filter((at) => at >= 0);
  assert.ok(times.length >= 4 && times.length <= 7, `asked at ${times}`);
  assert.ok(times.every((at) => at < 30_000), 'and not at all after 30 s');
});

test('a page that redirects with an older payment pending stores the new one', async () => {
  const page = await ready();
  page.begin('pi_1');
  await page.pass(4000);
  page.payments.expect('pi_2');
  page.window.dispatch('pagehide', {});
  assert.equal(JSON.parse(page.storage.get('reverb-sidecar:payment')).payment, 'pi_2');
});

test('an invalid address is a flag without an answer, and causes no other error', async () => {
  const page = new Page({ paidAt: 0 });
  page.make({ flagUrl: 'https://', streamUrl: 'https://' });
  page.payments.prepare();
  page.begin();
  await page.pass(100);
  assert.equal(page.state.cleared, true);
});

test("a later payment precedes that of the URL, and a URL's payment that was not resumed before precedes both", async () => {
  const storage = new Map();
  const before = new Page({}, storage);
  before.make().resume('pi_1');
  before.begin('pi_2');
  await before.pass(1000);
  for (const [url, expected, flow] of [['pi_1', 'pi_2', 'in_page'], ['pi_3', 'pi_3', 'redirect']]) {
    const after = new Page({}, storage);
    after.make().resume(url);
    await after.pass(31_000);
    assert.equal(after.state.pending, expected);
    assert.deepEqual(after.reports.map((report) => [report.payment_intent, report.flow]), [[expected, flow]]);
  }
});

test('a URL without a payment, null or empty, resumes the stored one', async () => {
  for (const none of [undefined, null, '']) {
    const page = new Page();
    page.make().expect('pi_1');
    page.payments.resume(none);
    assert.equal(page.state.pending, 'pi_1');
    page.payments.stop();
  }
});

test('without a pending payment the state is timers', async () => {
  const page = await ready({ paidAt: 0 });
  assert.equal(page.state.isPush, false);
  page.begin();
  assert.equal(page.state.isPush, true);
  await page.pass(40_000);
  assert.deepEqual([page.state.isPush, page.state.mode], [false, 'timer_polling']);
});

test('after stop a push has no effect', async () => {
  const page = await ready();
  page.payments.stop();
  page.payments.pushed();
  page.payments.expect('pi_1');
  await page.pass(100);
  assert.deepEqual([page.refetches.length, page.storage.size], [0, 1], 'the payer leaves all the same');
});

test('the returned methods work without their object', async () => {
  const page = new Page();
  const { resume } = page.make();
  resume();
  await page.pass(100);
  assert.equal(page.asked.length, 1);
});
