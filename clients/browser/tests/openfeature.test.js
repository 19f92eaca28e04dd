/** The mode of an evaluation, with its lease checked. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modeOf } from '../openfeature.js';

const WALL = 1_800_000_000_000;
const details = (more = {}, value = {}) => ({
  value: { mode: 'push_only', valid_for_s: 15, issued_at: WALL, ...value },
  reason: 'STATIC',
  ...more,
});
const at = (now, wall) => ({ now: () => now, wallNow: () => wall });

test('a fresh answer is valid for its lease, by both clocks', () => {
  assert.equal(modeOf(details(), at(0, WALL)), 'push_only');
  assert.equal(modeOf(details(), at(14_999, WALL + 14_999)), 'push_only');
  assert.equal(modeOf(details(), at(15_000, WALL + 1000)), 'timer_polling', 'the wall clock was set back');
  assert.equal(modeOf(details(), at(1000, WALL + 15_000)), 'timer_polling', 'the machine slept');
});

test('a cached, stale, failed or default evaluation gives timers', () => {
  for (const reason of ['CACHED', 'STALE', 'ERROR', 'DEFAULT']) {
    assert.equal(modeOf(details({ reason }, { issued_at: WALL + 1 }), at(0, WALL)), 'timer_polling');
  }
  assert.equal(modeOf(details({ errorCode: 'FLAG_NOT_FOUND' }), at(0, WALL)), 'timer_polling');
});

test('an invalid value gives timers', () => {
  for (const value of [undefined, null, 'push_only', {}, { mode: 'push' }, { mode: 'push_only', valid_for_s: 0 }]) {
    assert.equal(modeOf({ value, reason: 'STATIC' }, at(0, WALL)), 'timer_polling');
  }
  assert.equal(modeOf(undefined), 'timer_polling');
  assert.equal(modeOf(details({}, { issued_at: undefined }), at(0, WALL)), 'timer_polling');
});
