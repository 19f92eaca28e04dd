/** A page with a simulated clock, network, channel, storage and visitor: no real waiting, and deterministic runs. */

import { createPaymentRefresh } from '../payment-refresh.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Return a flag answer in the sidecar's format. */
export const answerOf = (mode, more = {}) => ({
  flag: 'payment-refresh',
  mode,
  refetch_after_ms: mode === 'timer_polling' ? [0, 2000, 5000] : [0],
  safety_net_ms: mode === 'push_with_safety_net' ? 5000 : null,
  refetch_on_subscribe: true,
  version: 7,
  valid_for_s: 15,
  reason: 'current_rung',
  environment: 'test',
  ...more,
});

class Target {
  listeners = [];
  addEventListener(name, act) {
    this.listeners.push([name, act]);
  }
  removeEventListener(name, act) {
    this.listeners = this.listeners.filter(([known, also]) => known !== name || also !== act);
  }
  dispatch(name, event = {}) {
    for (const [known, act] of [...this.listeners]) if (known === name) act(event);
  }
}

/** One page of one browser; `world` defines the responses of the sidecar, the bookings and the app's token. */
export class Page {
  constructor(world = {}, storage = new Map()) {
    this.world = {
      answer: answerOf('push_only'), // null: no response; a function of the time
      ageS: 0,
      flagTakesMs: 20,
      paidAt: Infinity, // on this page's monotonic clock
      refetchTakesMs: 30,
      isStaleUntil: -1,
      token: 'a.b.c',
      ...world,
    };
    this.t = 1000;
    this.wallAhead = 1_800_000_000_000;
    this.timers = [];
    this.storage = storage;
    this.window = new Target();
    this.document = Object.assign(new Target(), { visibilityState: 'visible', baseURI: 'https://app.example.test/' });
    this.reports = [];
    this.refetches = [];
    this.states = [];
    this.asked = [];
    this.listening = [];
    this.isUp = false;
    this.isFrozen = false;
    this.ids = 0;
    this.checks = 0;
    this.isLeft = false; // the app left the channel, without an event
  }

  get state() {
    return this.states.at(-1) ?? { pending: null, cleared: false };
  }

  /** Return the options of the client. */
  options() {
    return {
      flagUrl: 'https://sidecar.example.test/flags/payment-refresh',
      targetingKey: '7',
      reportUrl: 'https://sidecar.example.test/acks',
      token: () => this.world.token,
      source: {
        listen: (listener) => {
          this.listening.push(listener);
          if (this.isUp) listener.subscribed();
          const stop = () => {
            this.listening = this.listening.filter((one) => one !== listener);
          };
          const check = () => {
            this.checks += 1;
            if (this.isLeft && this.isUp) this.drop();
          };
          return Object.assign(stop, { check });
        },
      },
      refetch: (payment) => this.refetch(payment),
      onChange: (state) => this.states.push({ ...state, at: this.t }),
      environment: {
        fetch: (...all) => this.fetch(...all),
        now: () => this.t,
        wallNow: () => this.t + this.wallAhead,
        setTimeout: (act, ms) => this.plan(act, ms),
        clearTimeout: (id) => {
          this.timers = this.timers.filter((one) => one.id !== id);
        },
        random: () => 0.5,
        storage: {
          getItem: (key) => this.storage.get(key) ?? null,
          setItem: (key, value) => this.storage.set(key, value),
          removeItem: (key) => this.storage.delete(key),
        },
        window: this.window,
        document: this.document,
        sendBeacon: (url, body) => this.beacon(url, body),
        EventSource: this.EventSource,
      },
    };
  }

  make(more = {}) {
    this.payments = createPaymentRefresh({ ...this.options(), ...more });
    return this.payments;
  }

  plan(act, ms) {
    const timer = { id: ++this.ids, at: this.t + Math.max(0, ms), act };
    this.timers.push(timer);
    return timer.id;
  }

  later(ms) {
    return new Promise((resolve) => {
      this.plan(resolve, ms).valueOf();
      this.timers.at(-1).isWorld = true;
    });
  }

  beacon(url, body) {
    if (this.world.isBeaconFull) return false;
    this.reports.push({ url, ...JSON.parse(body), at: this.t });
    return true;
  }

  async fetch(url, init = {}) {
    if (init.method === 'POST') {
      this.reports.push({ url, ...JSON.parse(init.body), isFetched: true });
      return new Response(null, { status: 204 });
    }
    const asked = { url, at: this.t, wall: this.t + this.wallAhead };
    this.asked.push(asked);
    this.signal = init.signal;
    const { answer, ageS, flagTakesMs } = this.world;
    const given = typeof answer === 'function' ? answer(this.t) : answer;
    await this.later(flagTakesMs);
    if (given === null) throw new TypeError('Failed to fetch');
    const issued = this.world.issuedAt ?? this.t + this.wallAhead;
    Object.assign(asked, { given, ageMs: 1000 * (Number(ageS) || 0), isAnswered: true });
    return new Response(typeof given === 'string' ? given : JSON.stringify(given), {
      status: this.world.status ?? 200,
      headers: { 'Reverb-Sidecar-Issued-At': String(issued), ...(ageS === null || ageS === 0 ? {} : { Age: String(ageS) }) },
    });
  }

  async refetch(payment) {
    const at = this.t;
    this.asksFor = payment;
    const { paidAt, isStaleUntil, refetchTakesMs } = this.world;
    this.refetches.push(at - this.began);
    await this.later(refetchTakesMs);
    if (this.world.refetchFails) throw new Error('offline');
    return at >= paidAt && at >= isStaleUntil;
  }

  /** Return whether the lease of any push answer is valid, from the responses alone: the oracle of the lease. */
  get isLeased() {
    return this.asked.some(({ at, wall, given, ageMs, isAnswered }) => {
      const passedMs = Math.max(this.t - at, this.t + this.wallAhead - wall) + ageMs;
      return isAnswered && given?.mode?.startsWith('push_') && passedMs < given.valid_for_s * 1000;
    });
  }

  join() {
    this.isUp = true;
    this.isLeft = false;
    for (const one of this.listening) one.subscribed();
  }
  drop() {
    this.isUp = false;
    for (const one of this.listening) one.lost();
  }
  refuse(status) {
    for (const one of this.listening) one.refused(status);
  }
  push() {
    if (this.isUp && !this.isFrozen && !this.isLeft) for (const one of this.listening) one.pushed();
  }

  /** The timers of the module that have not run yet. */
  get planned() {
    return this.timers.filter((timer) => !timer.isWorld);
  }

  /** Begin a payment at the present time. */
  begin(payment = 'pi_1', how) {
    this.began = this.t;
    this.payments.begin(payment, how);
  }

  /** Advance the time; a frozen page's timers wait. */
  async pass(ms) {
    const until = this.t + ms;
    await settle();
    for (;;) {
      const due = this.timers
        .filter((one) => one.at <= until && (one.isWorld || !this.isFrozen))
        .sort((one, other) => one.at - other.at || one.id - other.id)[0];
      if (!due) break;
      this.t = Math.max(this.t, due.at);
      this.timers = this.timers.filter((one) => one !== due);
      due.act();
      await settle();
    }
    this.t = until;
    await settle();
  }

  /** Freeze the page; with `timersFirst` its overdue timers run before the event of its return. */
  async freeze(ms, { timersFirst = false } = {}) {
    this.document.visibilityState = 'hidden';
    this.document.dispatch('visibilitychange');
    this.isFrozen = true;
    await this.pass(ms);
    this.isFrozen = false;
    if (timersFirst) await this.pass(0);
    this.document.visibilityState = 'visible';
    this.document.dispatch('visibilitychange');
    await this.pass(0);
  }
}

/** Return a page with a known flag and, unless `joined` is false, a joined channel. */
export async function ready(world = {}, { joined = true, options = {} } = {}) {
  const page = new Page(world);
  page.make(options);
  page.payments.prepare();
  if (joined) page.join();
  await page.pass(100);
  return page;
}
