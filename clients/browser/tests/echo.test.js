/** The events of an existing Echo for one channel; other tests use the real one in browsers. */

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
  const left = [];
  let there = joined ? subscription : undefined;
  const pusher = { connection, channel: () => there };
  return {
    subscription,
    connection,
    left,
    says: (event, data) => connection.emit('message', { event, channel: 'private-live-refresh.7', data }),
    connector: { pusher },
    private: () => ({
      pusher,
      subscription: (there = subscription),
      eventFormatter: { format: (event) => `App\\Events\\${event}` },
    }),
    leaveChannel: (name) => left.push(name),
  };
}

function listened(echo, event = 'LiveRefreshContextsUpdated', isMine = undefined) {
  const events = [];
  const listener = Object.fromEntries(
    ['connected', 'subscribed', 'lost', 'refused', 'pushed'].map((name) => [name, (data) => events.push([name, data])]),
  );
  const stop = echoSource(echo, 'live-refresh.7', event, isMine).listen(listener);
  return { events, stop, names: () => events.map(([name]) => name) };
}

test('an existing subscription is reported at once, and one on a lost connection is not', () => {
  assert.deepEqual(listened(echoOf({ joined: true, subscribed: true })).names(), ['connected', 'subscribed']);
  assert.deepEqual(listened(echoOf({ subscribed: false })).names(), ['connected']);
  assert.deepEqual(listened(echoOf({ subscribed: true, state: 'connecting' })).names(), []);
});

test('confirmations, losses, refusals and pushes are reported in their order', () => {
  const echo = echoOf();
  const { events } = listened(echo, 'Event', (data) => data.contexts?.includes('bookings'));
  echo.subscription.emit('pusher:subscription_succeeded');
  echo.says('App\\Events\\Event', { contexts: ['bookings'] });
  echo.says('App\\Events\\Event', { contexts: ['profile'] });
  echo.says('App\\Events\\Event', null);
  echo.says('App\\Events\\Other', { contexts: ['bookings'] });
  echo.connection.emit('state_change', { current: 'unavailable' });
  echo.connection.emit('state_change', { current: 'connected' });
  echo.subscription.emit('pusher:subscription_error', { status: 403 });
  echo.subscription.emit('pusher:subscription_error', {});
  assert.deepEqual(events, [
    ['connected', undefined],
    ['subscribed', undefined],
    ['pushed', { contexts: ['bookings'] }],
    ['lost', undefined],
    ['connected', undefined],
    ['refused', 403],
    ['refused', 0],
  ]);
});

test('without an event the source reports the subscription only', () => {
  const echo = echoOf();
  const { names } = listened(echo, null);
  echo.says('App\\Events\\null', {});
  assert.deepEqual(names(), ['connected']);
});

test('a stopped source removes its listeners, and leaves the channel only if it had joined it', () => {
  for (const joined of [true, false]) {
    const echo = echoOf({ joined });
    listened(echo).stop();
    assert.deepEqual([echo.subscription.bindings, echo.connection.bindings], [[], []]);
    assert.deepEqual(echo.left, joined ? [] : ['private-live-refresh.7']);
  }
});

test('an app that stops all listeners of the event does not stop the source', () => {
  const echo = echoOf({ joined: true, subscribed: true });
  const { names } = listened(echo, 'Event');
  echo.subscription.bindings = echo.subscription.bindings.filter(([name]) => name.startsWith('pusher:')); // stopListening('Event')
  echo.says('App\\Events\\Event', {});
  assert.deepEqual(names(), ['connected', 'subscribed', 'pushed']);
});

test('the source follows an Echo that is created late, replaced or removed', () => {
  const events = [];
  const listener = Object.fromEntries(
    ['connected', 'subscribed', 'lost', 'refused', 'pushed'].map((name) => [name, () => events.push(name)]),
  );
  let echo;
  const source = echoSource(() => echo, 'live-refresh.7', 'Event');
  assert.throws(() => source.listen(listener));
  const old = (echo = echoOf({ joined: true, subscribed: true }));
  const stop = source.listen(listener);
  stop.check();
  assert.deepEqual(events.splice(0), ['connected', 'subscribed']);
  echo = undefined;
  assert.throws(() => stop.check());
  assert.deepEqual(events.splice(0), ['lost']);
  echo = echoOf({ joined: true, subscribed: true });
  stop.check();
  old.says('App\\Events\\Event', {});
  echo.says('App\\Events\\Event', {});
  assert.deepEqual(events.splice(0), ['lost', 'connected', 'subscribed', 'pushed']);
  stop();
  for (const one of [old, echo]) assert.deepEqual([one.subscription.bindings, one.connection.bindings], [[], []]);
});

test('an Echo without a connection (the null broadcaster) cannot be a source', () => {
  assert.throws(() => listened({ connector: {}, private: () => ({}), leaveChannel() {} }));
});
