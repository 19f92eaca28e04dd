/** What an existing Echo tells of one channel; the real one is met in browsers elsewhere. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { echoSource } from '../payment-refresh.js';

class Bound {
  bindings = [];
  get callbacks() {
    return { _callbacks: Object.fromEntries(this.bindings.map(([name, act]) => [name, [act]])) };
  }
  bind(name, act) {
    this.bindings.push([name, act]);
  }
  unbind(name, act) {
    this.bindings = this.bindings.filter(([known, also]) => known !== name || also !== act);
  }
  emit(name, data) {
    for (const [known, act] of [...this.bindings]) if (known === name) act(data);
  }
}

function echoOf({ joined = false, state = 'connected', subscribed = false } = {}) {
  const subscription = Object.assign(new Bound(), { subscribed });
  const connection = Object.assign(new Bound(), { state });
  const heard = [];
  const left = [];
  let there = joined ? subscription : undefined;
  return {
    subscription,
    connection,
    heard,
    left,
    connector: { pusher: { connection, channel: () => there } },
    private: () => ({
      subscription: (there = subscription),
      listen: (event, act) => heard.push([event, act]),
      stopListening: (event, act) => heard.splice(heard.findIndex((one) => one[1] === act), 1),
    }),
    leaveChannel: (name) => left.push(name),
  };
}

function listened(echo, event = 'LiveRefreshContextsUpdated', isMine = undefined) {
  const told = [];
  const listener = Object.fromEntries(
    ['connected', 'subscribed', 'lost', 'refused', 'pushed'].map((name) => [name, (data) => told.push([name, data])]),
  );
  const stop = echoSource(echo, 'live-refresh.7', event, isMine).listen(listener);
  return { told, stop, names: () => told.map(([name]) => name) };
}

test('a subscription that is there already is told at once, and one on a lost connection is not', () => {
  assert.deepEqual(listened(echoOf({ joined: true, subscribed: true })).names(), ['connected', 'subscribed']);
  assert.deepEqual(listened(echoOf({ subscribed: false })).names(), ['connected']);
  assert.deepEqual(listened(echoOf({ subscribed: true, state: 'connecting' })).names(), []);
});

test('confirmations, losses, refusals and pushes are told as they come', () => {
  const echo = echoOf();
  const { told } = listened(echo, 'Event', (data) => data.contexts?.includes('bookings'));
  echo.subscription.emit('pusher:subscription_succeeded');
  echo.heard[0][1]({ contexts: ['bookings'] });
  echo.heard[0][1]({ contexts: ['profile'] });
  echo.heard[0][1](null);
  echo.connection.emit('state_change', { current: 'unavailable' });
  echo.connection.emit('state_change', { current: 'connected' });
  echo.subscription.emit('pusher:subscription_error', { status: 403 });
  echo.subscription.emit('pusher:subscription_error', {});
  assert.deepEqual(told, [
    ['connected', undefined],
    ['subscribed', undefined],
    ['pushed', { contexts: ['bookings'] }],
    ['lost', undefined],
    ['connected', undefined],
    ['refused', 403],
    ['refused', 0],
  ]);
});

test('without an event it tells of the subscription only', () => {
  const echo = echoOf();
  listened(echo, null);
  assert.deepEqual(echo.heard, []);
});

test('it ends without a trace, and leaves the channel only if it had joined it', () => {
  for (const joined of [true, false]) {
    const echo = echoOf({ joined });
    listened(echo).stop();
    assert.deepEqual([echo.subscription.bindings, echo.connection.bindings, echo.heard], [[], [], []]);
    assert.deepEqual(echo.left, joined ? [] : ['private-live-refresh.7']);
  }
});
