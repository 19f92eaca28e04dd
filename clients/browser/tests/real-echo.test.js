/** The source with the real Echo and pusher-js, over real sockets to a server with Reverb's protocol. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import Echo from 'laravel-echo';
import Pusher from 'pusher-js';
import { WebSocketServer } from 'ws';
import { echoSource } from '../payment-refresh.js';

const CHANNEL = 'private-live-refresh.7';
const EVENT = 'App\\Events\\LiveRefreshContextsUpdated';
const ends = [];
after(() => Promise.all(ends.map((end) => end())));

/** Wait until a condition is true. */
async function until(isSo, what) {
  for (let tries = 0; tries < 400; tries++) {
    if (isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`waited in vain: ${what}`);
}

/** A Reverb, and the app's `/broadcasting/auth` beside it. */
class Reverb {
  authStatus = 200;
  isSilent = false; // the app signs with another secret: a connection-level 4009, and no event on the channel
  left = 0;

  static async start() {
    const reverb = new Reverb();
    reverb.http = createServer((request, response) => {
      request.resume().on('end', () => {
        response.writeHead(reverb.authStatus, { 'Content-Type': 'application/json' });
        response.end(reverb.authStatus === 200 ? '{"auth":"key:signature"}' : '{"message":""}');
      });
    });
    reverb.sockets = new WebSocketServer({ server: reverb.http });
    reverb.sockets.on('connection', (socket) => {
      reverb.say(socket, 'pusher:connection_established', { socket_id: '1.1', activity_timeout: 30 });
      socket.on('message', (text) => reverb.receive(socket, JSON.parse(text)));
    });
    await new Promise((resolve) => reverb.http.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => {
      reverb.drop();
      reverb.http.closeAllConnections();
      reverb.http.close(resolve);
    }));
    return reverb;
  }

  say(socket, event, data, channel = undefined) {
    socket.send(JSON.stringify({ event, data: JSON.stringify(data), channel }));
  }

  receive(socket, { event, data }) {
    if (event === 'pusher:unsubscribe') {
      socket.hasJoined = false;
      this.left += 1;
    }
    if (event !== 'pusher:subscribe') return;
    if (this.isSilent) {
      this.say(socket, 'pusher:error', { code: 4009, message: 'Connection is unauthorized' });
    } else {
      socket.hasJoined = true;
      this.say(socket, 'pusher_internal:subscription_succeeded', {}, data.channel);
    }
  }

  broadcast(data) {
    for (const socket of this.sockets.clients) if (socket.hasJoined) this.say(socket, EVENT, data, CHANNEL);
  }

  drop() {
    for (const socket of this.sockets.clients) socket.terminate();
  }
}

/** Return an Echo as an app creates it. */
function echoTo(reverb) {
  const { port } = reverb.http.address();
  const echo = new Echo({
    broadcaster: 'reverb',
    Pusher,
    key: 'key',
    wsHost: '127.0.0.1',
    wsPort: port,
    forceTLS: false,
    enabledTransports: ['ws'],
    authEndpoint: `http://127.0.0.1:${port}/broadcasting/auth`,
  });
  ends.unshift(async () => echo.disconnect());
  return echo;
}

/** Return the events of a source, in their order. */
function listened(echo, event = 'LiveRefreshContextsUpdated') {
  const events = [];
  const note = (name) => (data) => events.push(data === undefined ? name : `${name} ${JSON.stringify(data)}`);
  const names = ['connected', 'subscribed', 'lost', 'refused', 'pushed'];
  const stop = echoSource(echo, 'live-refresh.7', event, (data) => data.contexts.includes('bookings')).listen(
    Object.fromEntries(names.map((name) => [name, note(name)])),
  );
  return { events, stop, has: (name) => until(() => events.includes(name), `${name}, after ${events}`) };
}

test('the events of a channel: joined, a push, cut off, joined again, left', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const it = listened(echo);
  await it.has('subscribed');
  reverb.broadcast({ contexts: ['profile'] });
  reverb.broadcast({ contexts: ['bookings'] });
  await it.has('pushed {"contexts":["bookings"]}');
  it.events.length = 0;
  reverb.drop();
  await it.has('lost');
  await it.has('subscribed');
  assert.ok(!it.events.some((name) => name.startsWith('pushed')));
  it.stop();
  await until(() => reverb.left === 1, 'nobody else listens: it leaves');
  const then = it.events.length;
  const states = [];
  echo.connector.pusher.connection.bind('state_change', ({ current }) => states.push(current));
  reverb.drop();
  await until(() => states.length, 'cut off');
  assert.equal(it.events.length, then, 'no event follows the stop');
});

test('a channel that the app had joined is reported at once, and is not left', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const received = [];
  echo.private('live-refresh.7').listen('LiveRefreshContextsUpdated', (data) => received.push(data));
  await until(() => echo.connector.pusher.channel(CHANNEL).subscribed, 'the app has joined');
  const it = listened(echo);
  assert.deepEqual(it.events, ['connected', 'subscribed']);
  it.stop();
  reverb.broadcast({ contexts: ['bookings'] });
  await until(() => received.length === 1, 'the app still receives the event');
  assert.equal(reverb.left, 0);
});

test('a channel that the app joined later is not left either', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const it = listened(echo);
  await it.has('subscribed');
  const received = [];
  echo.private('live-refresh.7').listen('LiveRefreshContextsUpdated', (data) => received.push(data));
  it.stop();
  reverb.broadcast({ contexts: ['bookings'] });
  await until(() => received.length === 1, 'the app still receives the event');
  assert.equal(reverb.left, 0);
});

test('a channel that the app leaves and joins again is reported, and used', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const it = listened(echo);
  await it.has('subscribed');
  it.events.length = 0;
  echo.leave('live-refresh.7');
  echo.private('live-refresh.7').listen('LiveRefreshContextsUpdated', () => {});
  await it.has('subscribed');
  assert.equal(it.events[0], 'lost');
  reverb.broadcast({ contexts: ['bookings'] });
  await it.has('pushed {"contexts":["bookings"]}');
  assert.equal(it.events.filter((name) => name.startsWith('pushed')).length, 1);
});

test('a channel that the app leaves for good is reported as lost by `check`, and joined again', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const it = listened(echo);
  await it.has('subscribed');
  it.events.length = 0;
  echo.leave('live-refresh.7');
  it.stop.check();
  assert.equal(it.events[0], 'lost');
  await it.has('subscribed');
  it.stop.check();
  reverb.broadcast({ contexts: ['bookings'] });
  await it.has('pushed {"contexts":["bookings"]}');
  assert.equal(it.events.filter((name) => name === 'lost').length, 1);
});

test('a refusal is reported with its status', async () => {
  for (const status of [403, 419, 500]) {
    const reverb = await Reverb.start();
    reverb.authStatus = status;
    await listened(echoTo(reverb)).has(`refused ${status}`);
  }
});

test('with a wrong secret the only event is the connection', async () => {
  const reverb = await Reverb.start();
  reverb.isSilent = true;
  const echo = echoTo(reverb);
  const errors = [];
  echo.connector.pusher.connection.bind('error', (error) => errors.push(error));
  const it = listened(echo);
  await until(() => errors.length, 'the 4009');
  assert.ok(it.events.includes('connected'));
  assert.ok(!it.events.some((name) => name.startsWith('subscribed') || name.startsWith('refused')), String(it.events));
});

test('without an event the source reports no push, and still the subscription', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const it = listened(echo, null);
  await it.has('subscribed');
  const received = [];
  echo.private('live-refresh.7').listen('LiveRefreshContextsUpdated', (data) => received.push(data));
  reverb.broadcast({ contexts: ['bookings'] });
  await until(() => received.length === 1, 'the app receives the event');
  assert.ok(!it.events.some((name) => name.startsWith('pushed')));
});

test('an app that removes all listeners of the event does not stop the source', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const it = listened(echo);
  await it.has('subscribed');
  echo.private('live-refresh.7').listen('LiveRefreshContextsUpdated', () => {});
  echo.private('live-refresh.7').stopListening('LiveRefreshContextsUpdated');
  reverb.broadcast({ contexts: ['bookings'] });
  await it.has('pushed {"contexts":["bookings"]}');
  it.stop();
  await until(() => reverb.left === 1, 'nobody else listens: it leaves');
});

test('an Echo that the app replaces, with another token, is used after `check`', async () => {
  const [before, after] = [await Reverb.start(), await Reverb.start()];
  let echo = echoTo(before);
  const it = listened(() => echo);
  await it.has('subscribed');
  echo.disconnect();
  echo = echoTo(after);
  it.events.length = 0;
  it.stop.check();
  await it.has('subscribed');
  after.broadcast({ contexts: ['bookings'] });
  await it.has('pushed {"contexts":["bookings"]}');
  it.stop();
  await until(() => after.left === 1, 'nobody else listens: it leaves');
});
