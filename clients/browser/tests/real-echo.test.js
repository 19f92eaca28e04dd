/** The real Echo and pusher-js over real sockets, to a server that speaks as Reverb does: what is known of a channel. */

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

/** Wait for something to be so. */
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
  isSilent = false; // the app signs with another secret: a connection-level 4009, and nothing on the channel
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
      socket.on('message', (text) => reverb.hear(socket, JSON.parse(text)));
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

  hear(socket, { event, data }) {
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

/** An Echo as an app makes it. */
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

/** What a source tells, in the order that it tells it. */
function listened(echo, event = 'LiveRefreshContextsUpdated') {
  const told = [];
  const note = (name) => (data) => told.push(data === undefined ? name : `${name} ${JSON.stringify(data)}`);
  const names = ['connected', 'subscribed', 'lost', 'refused', 'pushed'];
  const stop = echoSource(echo, 'live-refresh.7', event, (data) => data.contexts.includes('bookings')).listen(
    Object.fromEntries(names.map((name) => [name, note(name)])),
  );
  return { told, stop, has: (name) => until(() => told.includes(name), `${name}, after ${told}`) };
}

test('the way of a channel: joined, a push, cut off, joined again, left', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const it = listened(echo);
  await it.has('subscribed');
  reverb.broadcast({ contexts: ['profile'] });
  reverb.broadcast({ contexts: ['bookings'] });
  await it.has('pushed {"contexts":["bookings"]}');
  it.told.length = 0;
  reverb.drop();
  await it.has('lost');
  await it.has('subscribed');
  assert.ok(!it.told.some((told) => told.startsWith('pushed')));
  it.stop();
  await until(() => reverb.left === 1, 'nobody else listens: it leaves');
  const then = it.told.length;
  const states = [];
  echo.connector.pusher.connection.bind('state_change', ({ current }) => states.push(current));
  reverb.drop();
  await until(() => states.length, 'cut off');
  assert.equal(it.told.length, then, 'nothing is told after the end');
});

test('a channel that the app had joined is known at once, and is not left', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const heard = [];
  echo.private('live-refresh.7').listen('LiveRefreshContextsUpdated', (data) => heard.push(data));
  await until(() => echo.connector.pusher.channel(CHANNEL).subscribed, 'the app has joined');
  const it = listened(echo);
  assert.deepEqual(it.told, ['connected', 'subscribed']);
  it.stop();
  reverb.broadcast({ contexts: ['bookings'] });
  await until(() => heard.length === 1, 'the app still hears');
  assert.equal(reverb.left, 0);
});

test('a channel that the app joined after it is not left either', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const it = listened(echo);
  await it.has('subscribed');
  const heard = [];
  echo.private('live-refresh.7').listen('LiveRefreshContextsUpdated', (data) => heard.push(data));
  it.stop();
  reverb.broadcast({ contexts: ['bookings'] });
  await until(() => heard.length === 1, 'the app still hears');
  assert.equal(reverb.left, 0);
});

test('a channel that the app leaves and joins anew is another one: it is heard of, and listened to', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const it = listened(echo);
  await it.has('subscribed');
  it.told.length = 0;
  echo.leave('live-refresh.7');
  echo.private('live-refresh.7').listen('LiveRefreshContextsUpdated', () => {});
  await it.has('subscribed');
  assert.equal(it.told[0], 'lost');
  reverb.broadcast({ contexts: ['bookings'] });
  await it.has('pushed {"contexts":["bookings"]}');
  assert.equal(it.told.filter((told) => told.startsWith('pushed')).length, 1);
});

test('a channel that the app leaves for good is lost when it is asked, and joined anew', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const it = listened(echo);
  await it.has('subscribed');
  it.told.length = 0;
  echo.leave('live-refresh.7');
  it.stop.check();
  assert.equal(it.told[0], 'lost');
  await it.has('subscribed');
  it.stop.check();
  reverb.broadcast({ contexts: ['bookings'] });
  await it.has('pushed {"contexts":["bookings"]}');
  assert.equal(it.told.filter((told) => told === 'lost').length, 1);
});

test('a refusal is told with its status', async () => {
  for (const status of [403, 419, 500]) {
    const reverb = await Reverb.start();
    reverb.authStatus = status;
    await listened(echoTo(reverb)).has(`refused ${status}`);
  }
});

test('a wrong secret is silence: connected, and not a word more', async () => {
  const reverb = await Reverb.start();
  reverb.isSilent = true;
  const echo = echoTo(reverb);
  const errors = [];
  echo.connector.pusher.connection.bind('error', (error) => errors.push(error));
  const it = listened(echo);
  await until(() => errors.length, 'the 4009');
  assert.ok(it.told.includes('connected'));
  assert.ok(!it.told.some((told) => told.startsWith('subscribed') || told.startsWith('refused')), String(it.told));
});

test('without an event it hears nothing, and still knows of the subscription', async () => {
  const reverb = await Reverb.start();
  const echo = echoTo(reverb);
  const it = listened(echo, null);
  await it.has('subscribed');
  const heard = [];
  echo.private('live-refresh.7').listen('LiveRefreshContextsUpdated', (data) => heard.push(data));
  reverb.broadcast({ contexts: ['bookings'] });
  await until(() => heard.length === 1, 'the app hears');
  assert.ok(!it.told.some((told) => told.startsWith('pushed')));
});

test('an app that ends all who listen to the event does not end this', async () => {
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

test('an Echo that the app makes anew, with another token, is taken up when it is asked', async () => {
  const [before, after] = [await Reverb.start(), await Reverb.start()];
  let echo = echoTo(before);
  const it = listened(() => echo);
  await it.has('subscribed');
  echo.disconnect();
  echo = echoTo(after);
  it.told.length = 0;
  it.stop.check();
  await it.has('subscribed');
  after.broadcast({ contexts: ['bookings'] });
  await it.has('pushed {"contexts":["bookings"]}');
  it.stop();
  await until(() => after.left === 1, 'nobody else listens: it leaves');
});
