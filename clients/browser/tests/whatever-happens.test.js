/** Properties under random events of push, flag, network and page: "Pay now" is cleared, and requests are bounded. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Page, answerOf } from './page.js';

const RUNS = Number(process.env.RUNS ?? 300);

const answers = fc.oneof(
  fc.constantFrom('push_only', 'push_with_safety_net', 'timer_polling').map((mode) => answerOf(mode)),
  fc.constantFrom('push_only', 'timer_polling').map((mode) => answerOf(mode, { version: 9, valid_for_s: 4 })),
  fc.constantFrom(null, 'garbage', answerOf('push')),
);
const events = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('push', 'pushed', 'join', 'drop') },
  fc.constantFrom('refuse', 'online', 'pageshow', 'visible', 'again', 'leave', 'pagehide'),
  fc.constantFrom(20_000, -20_000, -3_600_000).map((clock) => ({ clock })),
  answers.map((answer) => ({ answer })),
  fc.integer({ min: 100, max: 90_000 }).map((freeze) => ({ freeze })),
  fc.boolean().map((refetchFails) => ({ refetchFails })),
);
const lives = fc.record({
  answer: answers,
  ageS: fc.constantFrom(0, 0, 3, 60),
  flagTakesMs: fc.integer({ min: 0, max: 8000 }),
  refetchTakesMs: fc.integer({ min: 0, max: 3000 }),
  joined: fc.boolean(),
  paidAfter: fc.integer({ min: 0, max: 40_000 }),
  staleFor: fc.constantFrom(0, 0, 500, 4000),
  flow: fc.constantFrom('in_page', 'redirect'),
  steps: fc.array(fc.tuple(fc.integer({ min: 0, max: 6000 }), events), { maxLength: 14, size: 'max' }), // includes long runs
});

/** The events of a run that may cause a refetch of their own. */
const CAUSES = new Set(['push', 'pushed', 'join', 'online', 'pageshow', 'visible']);

async function live(life, each) {
  const page = new Page({ ...life, paidAt: Infinity });
  page.make();
  page.isUp = life.joined;
  page.payments.prepare();
  await page.pass(50);
  page.began = page.t;
  page.world.paidAt = page.t + life.paidAfter;
  page.world.isStaleUntil = life.staleFor ? page.world.paidAt + life.staleFor : -1;
  page.payments.begin('pi_1', { flow: life.flow });
  let causes = 0;
  for (const [after, event] of life.steps) {
    for (let left = after; left > 0; left -= 500) {
      await page.pass(Math.min(500, left));
      each?.(page);
    }
    causes += CAUSES.has(event) || event.freeze ? 1 : 0;
    causes += event === 'push' || event === 'pushed' ? 1 : 0; // its retry
    if (event === 'push') page.push();
    if (event === 'pushed' && page.state.pending) page.payments.pushed();
    if (event === 'join') page.join();
    if (event === 'drop') page.drop();
    if (event === 'refuse') page.refuse(403);
    if (event === 'online') page.window.dispatch('online');
    if (event === 'pageshow') page.window.dispatch('pageshow', { persisted: true });
    if (event === 'visible') page.document.dispatch('visibilitychange');
    if (event === 'leave') [page.isLeft, page.leftAt] = [true, page.t];
    if (event === 'pagehide') page.window.dispatch('pagehide', { persisted: true });
    if (event.clock) {
      page.wallAhead += event.clock;
      page.setAt = page.t;
    }
    if (event === 'again') page.payments.begin('pi_1');
    if (event.answer !== undefined) page.world.answer = event.answer;
    if (event.refetchFails !== undefined) page.world.refetchFails = event.refetchFails;
    if (event.freeze) await page.freeze(event.freeze);
    each?.(page);
  }
  page.world.refetchFails = false;
  page.causes = causes;
  return page;
}

test('a paid booking is found paid by 30 s, or by the next event', async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (life) => {
      const page = await live(life);
      const paidFrom = Math.max(page.world.paidAt, page.world.isStaleUntil);
      await page.pass(Math.max(0, page.began + 45_000 - page.t));
      const isWell = !life.steps.some(([, event]) => event.refetchFails || event.freeze);
      if (isWell && paidFrom < page.began + 29_000) assert.equal(page.state.cleared, true, 'seen paid by 30 s');
      page.world.isStaleUntil = -1;
      page.world.paidAt = 0;
      page.document.dispatch('visibilitychange');
      await page.pass(15_000);
      assert.equal(page.state.cleared, true);
    }),
    { numRuns: RUNS },
  );
});

test('without a further event a paid booking is found paid by 30 s', async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (life) => {
      const page = await live({ ...life, steps: [] });
      page.world.isStaleUntil = -1;
      page.world.paidAt = Math.min(page.world.paidAt, page.began + 29_000);
      await page.pass(45_000);
      assert.equal(page.state.cleared, true);
    }),
    { numRuns: RUNS },
  );
});

test('refetches are bounded: seven, one for each return or subscription, and two for each push', async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (life) => {
      const page = await live(life);
      await page.pass(3_700_000);
      const bound = 3 + 1 + 1 + 1 + 1 + page.causes; // timers, safety net, one move, the one at 30 s, the hour's last
      assert.ok(page.refetches.length <= bound, `${page.refetches.length} refetches, at most ${bound}`);
    }),
    { numRuns: RUNS },
  );
});

test('the page relies on push only while the channel is joined or may still be, and a lease is valid', async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (life) => {
      const page = await live(life, (now) => {
        if (!now.state.isPush || !now.state.pending) return;
        const isSettled = (at) => at === undefined || now.t - at > 1000; // the page checks every second
        assert.ok(now.isUp || now.t - now.began < 3000, 'not joined, and three seconds have passed');
        if (now.isLeft && isSettled(now.leftAt)) assert.ok(now.t - now.began < 3000, 'the app left the channel');
        if (isSettled(now.setAt)) assert.ok(now.isLeased, 'nothing that was answered is good for so long');
      });
      page.payments.stop();
    }),
    { numRuns: RUNS },
  );
});

test('the first event after the payment clears it', async () => {
  const triggers = fc.constantFrom('push', 'pushed', 'join', 'online', 'pageshow', 'visible', 'rejoin');
  await fc.assert(
    fc.asyncProperty(lives, triggers, async (life, trigger) => {
      const page = await live({ ...life, staleFor: 0, steps: life.steps.filter(([, { refetchFails }]) => !refetchFails) });
      page.world.paidAt = Math.min(page.world.paidAt, page.t);
      if (trigger === 'push') {
        if (!page.isUp || page.isLeft) page.join();
        page.push();
      }
      if (trigger === 'pushed' && page.state.pending) page.payments.pushed();
      if (trigger === 'join') page.join();
      if (trigger === 'rejoin') {
        page.drop();
        page.join();
      }
      if (trigger === 'online') page.window.dispatch('online');
      if (trigger === 'pageshow') page.window.dispatch('pageshow', { persisted: true });
      if (trigger === 'visible') page.document.dispatch('visibilitychange');
      // One refetch in flight, one more; and a cause that is left to a timer runs within three seconds.
      await page.pass(2 * life.refetchTakesMs + 3100);
      assert.equal(page.state.cleared, true);
    }),
    { numRuns: RUNS },
  );
});

test('there is at most one report per payment, and its fields agree', async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (life) => {
      const page = await live(life);
      await page.pass(60_000);
      page.window.dispatch('pagehide', {});
      page.payments.stop();
      assert.equal(page.reports.length, 1);
      const [report] = page.reports;
      assert.equal(report.cleared_by === undefined, report.cleared_after_ms === undefined);
      assert.ok(report.cleared_by !== 'push' || report.pushed_after_ms !== undefined);
      assert.equal(report.subscription === 'confirmed', report.subscribed_after_ms !== undefined);
      assert.ok(report.auth_status === undefined || report.subscription === 'refused');
      for (const [name, value] of Object.entries(report)) {
        if (name.endsWith('_ms')) assert.ok(Number.isInteger(value) && value >= 0 && value <= 3_600_000, name);
      }
    }),
    { numRuns: RUNS },
  );
});

test('after stop there is no timer, no listener and no further request', async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (life) => {
      const page = await live(life);
      page.payments.stop();
      const before = [page.refetches.length, page.asked.length];
      assert.deepEqual(page.planned, []);
      assert.deepEqual([page.window.listeners, page.document.listeners, page.listening], [[], [], []]);
      await page.pass(120_000);
      assert.deepEqual([page.refetches.length, page.asked.length], before);
    }),
    { numRuns: RUNS },
  );
});
