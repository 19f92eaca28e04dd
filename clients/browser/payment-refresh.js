/**
 * Decide when to refetch after a payment, so that "Pay now" disappears whether push works or not.
 *
 * The problem: Pusher has no replay, a subscription can fail without an error, the flag's answer is only leased, and
 * pages are frozen, restored and left. A client that relies on push alone leaves some payers with "Pay now".
 *
 * The solution: follow the flag's schedule, rely on push only while the subscription is confirmed and the lease is
 * valid, and refetch once whenever a push may have been missed. The client reports the result to the sidecar.
 *
 * @import { Environment, Flow, Listener, Mode, Options, PaymentRefresh, PaymentState, Source, EchoLike } from './payment-refresh.d.ts'
 */

/**
 * @typedef {{ mode: Mode, refetch_after_ms: number[], safety_net_ms: number | null, version: number, valid_for_s: number }} Answer
 *
 * @typedef {object} Watch A watched payment. All times are on the monotonic clock, most relative to `at`.
 * @property {string} payment
 * @property {Facts} facts
 * @property {number} at the start
 * @property {number} wall the first start, on the wall clock
 * @property {boolean} [isReported]
 * @property {Answer} schedule the answer in use
 * @property {boolean} [isDecided] the flag is known
 * @property {boolean} [fell] push was relied upon, and no longer is
 * @property {boolean} [wasUp] the channel was joined at some time since the start
 * @property {number} done the time up to which the schedule was processed
 * @property {number} checkAt the time of the next planned check
 * @property {number} checkWall the same, on the wall clock
 * @property {number} refetchedAt the start of the last refetch
 * @property {boolean} [inFlight] a refetch is in flight
 * @property {boolean} [isSent] its request was passed to the app
 * @property {boolean} [isPushed] a push was received, and no refetch followed yet
 * @property {number} retryAt the time of the one retry after a push whose refetch was not paid
 * @property {Cause} [next] the cause that waits for the refetch in flight
 * @property {Cause} [left] the cause that was left to the timers
 * @property {boolean} [cleared]
 * @property {string | null} [token]
 *
 * @typedef {object} Facts The reported facts, under the names of the report.
 * @property {string} payment_intent
 * @property {Flow} flow
 * @property {Mode} mode the first mode in use, of this `version`
 * @property {number} version
 * @property {number} [subscribed_after_ms]
 * @property {number} [pushed_after_ms]
 * @property {number} [cleared_after_ms]
 * @property {Cause} [cleared_by]
 * @property {number} refetches
 * @property {number} stale_refetches
 *
 * @typedef {'first' | 'push' | 'subscribe' | 'timer' | 'safety_net' | 'return' | 'moved' | 'lease' | 'last'} Cause
 */

/** @type {Answer} */
const TIMERS = { mode: 'timer_polling', refetch_after_ms: [0, 2000, 5000], safety_net_ms: null, version: 0, valid_for_s: 0 };
const MODES = ['timer_polling', 'push_with_safety_net', 'push_only'];
const CONFIRM_WITHIN_MS = 3000;
const STALE_AFTER_MS = 1000;
const LAST_MS = 30000;
const REFETCH_MAX_MS = 10000;
const FLAG_MAX_MS = 5000;
const PENDING_MAX_MS = 3600000;
const CHECK_EVERY_MS = 1000;
const AWAY_MS = 3000;
const KEY = 'reverb-sidecar:payment';

const isUpTo = (max, value) => Number.isFinite(value) && value >= 0 && value <= max;
const isTimers = (answer) => answer.mode === TIMERS.mode;

/** Return whether the flag's answer is valid; timers that never poll are not. */
const isGood = (answer) =>
  MODES.includes(answer?.mode) &&
  Array.isArray(answer.refetch_after_ms) &&
  answer.refetch_after_ms.length <= 10 &&
  answer.refetch_after_ms.every((ms) => isUpTo(LAST_MS, ms)) &&
  (!isTimers(answer) || answer.refetch_after_ms.some((ms) => ms > 0)) &&
  (answer.safety_net_ms === null || isUpTo(LAST_MS, answer.safety_net_ms)) &&
  isUpTo(3600, answer.valid_for_s) &&
  Number.isInteger(answer.version);

/**
 * Return a function's result, or undefined if it throws.
 *
 * @template T
 * @param {() => T} act
 */
const attempt = (act) => {
  try {
    return act();
  } catch {
    return undefined;
  }
};

/**
 * Resolve to a function's result, or to undefined if it throws or rejects.
 *
 * @template T
 * @param {() => T | Promise<T>} act
 * @returns {Promise<T | undefined>}
 */
const soon = (act) => Promise.resolve().then(act).catch(() => undefined);

/** Return a value, or the present result of the function that returns it. */
const present = (it) => (typeof it === 'function' ? it() : it);

/** @returns {Environment} */
const browser = () => ({
  fetch: (url, init) => fetch(url, init),
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimeout: (act, ms) => setTimeout(act, ms),
  clearTimeout: (timer) => clearTimeout(/** @type {number} */ (timer)),
  random: () => Math.random(),
  storage: attempt(() => sessionStorage),
  window: globalThis.window,
  document: globalThis.document,
  sendBeacon: (url, body) => navigator.sendBeacon(url, body),
  EventSource: globalThis.EventSource,
});

/**
 * Return the object that watches the payments of this page.
 *
 * @param {Options} options
 * @returns {PaymentRefresh}
 */
export function createPaymentRefresh(options) {
  const env = { ...browser(), ...options.environment };
  const { flagUrl, source } = options; // the other options may change between uses
  let answer = TIMERS; // the last valid one
  let since = -Infinity; // the start of its lease on the monotonic clock: the time of the request, less the answer's age
  let sinceWall = -Infinity; // and on the wall clock
  let issuedAt = 0;
  /** @type {Promise<void> | undefined} */
  let request; // the request for the flag that is in flight
  let fails = 0; // failed requests for the flag in a row
  let nextRequestAt = Infinity;
  let isUp = false; // the channel is joined, confirmed
  let isConnected = false; // the socket was connected at some time
  /** @type {number | undefined} */
  let refused; // the status of the last refusal, until the channel is joined
  /** @type {ReturnType<Source['listen']> | undefined} */
  let stopListening;
  /** @type {EventSource | undefined} */
  let stream;
  /** @type {Watch | undefined} */
  let watch; // the payment that is pending, or not reported yet
  /** @type {string | undefined} */
  let expected; // the payment for which this page redirected to Stripe
  /** @type {string | null | undefined} */
  let returned; // the payment in this page's URL
  /** @type {string | null} */
  let cleared = null; // the last payment that was found paid
  let timer;
  /** @type {AbortController | undefined} */
  let aborter;
  let isStopped = false;

  // --- time

  const timers = new Set();
  /** @param {number} ms @param {() => void} act */
  const after = (ms, act) => {
    const made = env.setTimeout(() => {
      timers.delete(made);
      act();
    }, ms);
    timers.add(made);
    return made;
  };
  const cancel = (made) => {
    timers.delete(made);
    env.clearTimeout(made);
  };

  /**
   * Resolve to a function's result, or to undefined if it fails or times out.
   *
   * @template T
   * @param {number} ms
   * @param {() => T | Promise<T>} act
   * @returns {Promise<T | undefined>}
   */
  const within = (ms, act) =>
    new Promise((resolve) => {
      const limit = after(ms, /** @type {() => void} */ (resolve));
      soon(act).then((value) => {
        cancel(limit);
        resolve(value);
      });
    });

  // --- the flag

  /** Return the remaining lease of the answer, in milliseconds. */
  const leaseMs = () => answer.valid_for_s * 1000 - Math.max(env.now() - since, env.wallNow() - sinceWall);

  /**
   * Use an answer if it is valid and newer than the current one, or timers: they are safe whatever their date. Return
   * whether it is newer.
   *
   * @param {Answer} received
   * @param {number} issued
   * @param {number} now
   * @param {number} wall
   */
  const take = (received, issued, now, wall) => {
    const isNewer = issued > issuedAt;
    if (!isGood(received) || !(isNewer || isTimers(received))) return false;
    answer = received;
    if (isNewer) issuedAt = issued;
    since = now;
    sinceWall = wall;
    return isNewer;
  };

  /** @param {string} base */
  const addressOf = (base) => {
    const url = new URL(base, env.document?.baseURI);
    if (options.targetingKey) url.searchParams.set('targeting_key', options.targetingKey);
    return url;
  };

  /** Return the delay of the renewal, at half of the remaining lease; it runs only while a payment is pending. */
  const halfLeaseMs = () => Math.max(1000, Math.min(15000, leaseMs() / 2));

  const requestFlag = () => {
    if (request || isStopped) return;
    nextRequestAt = Infinity;
    const now = env.now();
    const wall = env.wallNow();
    aborter = new AbortController();
    request = within(FLAG_MAX_MS, async () => {
      const url = addressOf(flagUrl);
      url.searchParams.set('_', String(env.random()));
      const response = await env.fetch(url.href, { cache: 'no-store', credentials: 'omit', signal: aborter?.signal });
      if (!response.ok) return false;
      const ageMs = 1000 * Number(response.headers.get('Age')); // none: 0
      const issued = Number(response.headers.get('Reverb-Sidecar-Issued-At'));
      return ageMs >= 0 && take(await response.json(), issued, now - ageMs, wall - ageMs);
    }).then((isNew) => {
      aborter?.abort(); // a request that timed out, or a body that was not read
      request = undefined;
      fails = isNew ? 0 : fails + 1;
      if (isStopped) return;
      nextRequestAt = env.now() + (isNew ? halfLeaseMs() : Math.min(30000, 500 * 2 ** fails));
      wake();
    });
  };

  const openStream = () => {
    const { streamUrl } = options;
    if (!streamUrl || stream) return;
    stream = attempt(() => new /** @type {typeof EventSource} */ (env.EventSource)(addressOf(streamUrl).href));
    if (!stream) return;
    stream.onmessage = ({ data }) => {
      const received = attempt(() => JSON.parse(data));
      // In a page that was frozen the event may have been queued for long: date it by its distance to the last answer.
      const later = received?.issued_at - issuedAt || 0;
      const now = Math.min(env.now(), since + later);
      if (issuedAt) take(received, received?.issued_at, now, Math.min(env.wallNow(), sinceWall + later));
      wake();
    };
  };

  const closeStream = () => {
    stream?.close();
    stream = undefined;
  };

  // --- the channel

  const listen = () => {
    attempt(() => {
      stopListening ??= source?.listen({
        connected: () => {
          isConnected = true;
        },
        subscribed: () => {
          isUp = isConnected = true;
          refused = undefined;
          if (watch) {
            watch.facts.subscribed_after_ms ??= afterMs(watch);
            trigger('subscribe');
          }
          tick();
        },
        lost: () => {
          isUp = false;
          tick();
        },
        refused: (status) => {
          isUp = false;
          refused = status;
          tick();
        },
        pushed: () => push(),
      });
    });
  };

  const push = () => {
    if (!watch) return false;
    const isFirst = watch.facts.pushed_after_ms === undefined;
    watch.facts.pushed_after_ms ??= afterMs(watch);
    if (watch.cleared) return isFirst;
    watch.isPushed = true;
    trigger('push');
    return true;
  };

  // --- a payment

  /** @param {Watch} mine */
  const elapsed = (mine) => env.now() - mine.at;
  /** @param {Watch} mine */
  const afterMs = (mine) => Math.min(PENDING_MAX_MS, Math.round(elapsed(mine)));

  /**
   * Return the rest of the hour, by both clocks: the wall clock may be set, and the monotonic clock may stop in sleep.
   *
   * @param {Watch} mine
   */
  const leftMs = (mine) => PENDING_MAX_MS - Math.max(elapsed(mine), env.wallNow() - mine.wall);

  /**
   * Return whether push is relied upon now; without a confirmation, for the first three seconds after the payment.
   *
   * @param {Watch} mine
   */
  const relies = (mine) => {
    if (isTimers(answer) || leaseMs() <= 0) return false;
    return isUp || (refused === undefined && !mine.wasUp && elapsed(mine) < CONFIRM_WITHIN_MS);
  };

  /**
   * Return the answer to follow now.
   *
   * @param {Watch} mine
   */
  const choose = (mine) => (relies(mine) || (isTimers(answer) && leaseMs() > 0) ? answer : TIMERS);

  /**
   * Follow the flag's answer once it is known.
   *
   * @param {Watch} mine
   */
  const follow = (mine) => {
    if (mine.isDecided) return;
    mine.isDecided = leaseMs() > 0;
    if (!mine.isDecided) return;
    mine.schedule = choose(mine);
    mine.facts.mode = mine.schedule.mode;
    mine.facts.version = answer.version;
    if (mine.left && !isTimers(mine.schedule)) trigger(mine.left);
  };

  /** @param {string} payment @param {Flow} flow */
  const begin = (payment, flow) => {
    if (isStopped || watch?.payment === payment || cleared === payment) return;
    finish();
    listen();
    check();
    const kept = remembered();
    const isKept = kept?.payment === payment;
    /** @type {Watch} */
    const mine = {
      payment,
      facts: {
        payment_intent: payment,
        flow,
        mode: TIMERS.mode,
        version: 0,
        subscribed_after_ms: isUp ? 0 : undefined,
        refetches: 0,
        stale_refetches: 0,
      },
      at: env.now(),
      wall: isKept ? kept.at : env.wallNow(),
      isReported: isKept && kept.isReported, // by this page before a reload
      schedule: TIMERS,
      done: 0,
      checkAt: 0,
      checkWall: Infinity,
      refetchedAt: 0,
      retryAt: Infinity,
    };
    watch = mine;
    cleared = null;
    expected = undefined;
    remember(payment, flow, mine.wall, mine.isReported);
    follow(mine);
    // No timeout: waiting costs nothing, and in a page that is frozen meanwhile a timeout would have expired.
    soon(() => options.reportUrl && present(options.token)).then((token) => {
      mine.token = token;
      if (mine === watch) tick();
      else if (elapsed(mine) >= LAST_MS) report(mine); // it ended meanwhile
    });
    if (leaseMs() <= 0) requestFlag();
    else nextRequestAt = Math.min(nextRequestAt, env.now() + halfLeaseMs());
    openStream();
    trigger('first');
    tick();
  };

  /**
   * Refetch for a cause; while a refetch is in flight, once more after it.
   *
   * @param {Cause} why
   */
  const trigger = (why, isRetry = false) => {
    if (!watch || (watch.cleared && why !== 'timer')) return;
    // The timers' own schedule is three requests: a cause that they are about to cover needs no fourth.
    const { schedule, done, fell } = watch;
    const isTimed = isTimers(schedule) && !fell && done < Math.max(...schedule.refetch_after_ms);
    if (isTimed && !isRetry && (why === 'push' || why === 'subscribe')) {
      watch.left = why;
    } else if (!watch.inFlight) {
      run(watch, why, isRetry);
    } else if (watch.isSent) {
      watch.next ??= why;
    }
  };

  /** @param {Watch} mine @param {Cause} why @param {boolean} isRetry the retry after a push */
  const run = async (mine, why, isRetry) => {
    let isPushed; // a push was received before the request was sent
    mine.inFlight = true;
    mine.isSent = false;
    mine.facts.refetches += 1;
    mine.refetchedAt = elapsed(mine);
    const isPaid = await within(REFETCH_MAX_MS, () => {
      isPushed = mine.isPushed;
      mine.isSent = true;
      mine.isPushed = false;
      mine.left = undefined;
      return options.refetch(mine.payment);
    });
    mine.inFlight = false;
    if (mine !== watch) return;
    const { next } = mine;
    mine.next = undefined;
    if (isPaid === true && !mine.cleared) {
      mine.cleared = true;
      cleared = mine.payment;
      mine.facts.cleared_by = why;
      mine.facts.cleared_after_ms = afterMs(mine);
      forget(mine);
    } else if (isPaid !== true && (isPushed || isRetry)) {
      mine.facts.stale_refetches += 1;
      if (isPushed) mine.retryAt = env.now() + STALE_AFTER_MS;
    }
    if (next) trigger(next);
    wake();
  };

  /** Have the source check for changes without an event, such as an app that left the channel. */
  const check = () => attempt(() => stopListening?.check?.());

  /** Run what is due, and plan the next check. */
  const tick = () => {
    if (isStopped) return;
    cancel(timer);
    if (watch) advance(watch);
    publish();
  };
  const wake = () => {
    if (watch) check();
    tick();
  };

  /** @param {Watch} mine */
  const advance = (mine) => {
    const ms = elapsed(mine);
    // Long overdue, as in a page that was frozen: its timers may run before the events of the return. In sleep the
    // monotonic clock may stop.
    if (Math.max(ms - mine.checkAt, env.wallNow() - mine.checkWall) > AWAY_MS) trigger('return');
    mine.wasUp ||= isUp;
    follow(mine);
    if (!mine.cleared && !isTimers(mine.schedule)) {
      // Under another schedule its earlier refetches are due.
      if (mine.schedule !== answer) mine.done = Math.min(mine.done, mine.refetchedAt);
      if (relies(mine)) {
        mine.schedule = answer;
      } else {
        const why = leaseMs() <= 0 && !isTimers(answer) ? 'lease' : 'moved';
        mine.schedule = choose(mine);
        mine.fell = true;
        trigger(why); // this refetch also covers the timers that would have run by now
      }
    }
    const due = (at) => at > mine.done && at <= ms;
    const { schedule } = mine;
    const netMs = schedule.safety_net_ms ?? 0;
    const mayPoll = !mine.cleared || (isTimers(schedule) && !mine.fell);
    if (mayPoll && schedule.refetch_after_ms.some(due)) trigger('timer');
    if (!mine.cleared) {
      if (due(netMs)) trigger('safety_net');
      if (due(LAST_MS) || leftMs(mine) <= 0) trigger('last');
      if (mine.retryAt <= env.now()) {
        mine.retryAt = Infinity;
        trigger('push', true);
      }
    }
    mine.done = Math.max(mine.done, ms);
    if (ms >= LAST_MS) {
      closeStream();
      if (mine.cleared && !mine.inFlight) return finish();
      if (!mine.inFlight) report(mine);
    }
    if (leftMs(mine) <= 0) return finish();
    const next = [leftMs(mine)];
    const checks = [LAST_MS, ...(mayPoll ? schedule.refetch_after_ms : [])];
    if (!mine.cleared) {
      checks.push(netMs, mine.wasUp ? 0 : CONFIRM_WITHIN_MS);
      next.push(mine.retryAt - env.now());
      if (!isTimers(schedule)) next.push(leaseMs(), CHECK_EVERY_MS);
      if (ms < LAST_MS) {
        if (nextRequestAt <= env.now()) requestFlag();
        next.push(nextRequestAt - env.now());
      }
    }
    next.push(...checks.filter((at) => at > ms).map((at) => at - ms));
    const waitMs = Math.max(1, Math.min(...next));
    mine.checkAt = ms + waitMs;
    mine.checkWall = env.wallNow() + waitMs;
    timer = after(waitMs, wake);
  };

  /**
   * Report the payment to the sidecar, once.
   *
   * @param {Watch} mine
   */
  const report = (mine) => {
    const { reportUrl } = options;
    if (mine.isReported || !reportUrl || typeof mine.token !== 'string') return;
    mine.isReported = true;
    // Another payment may be stored by now.
    if (!mine.cleared && readKept()?.payment === mine.payment) remember(mine.payment, mine.facts.flow, mine.wall, true);
    const { facts } = mine;
    const isConfirmed = facts.subscribed_after_ms !== undefined;
    const isRefused = !isConfirmed && refused !== undefined;
    const body = JSON.stringify({
      ...facts,
      token: mine.token,
      subscription: isConfirmed ? 'confirmed' : isRefused ? 'refused' : isConnected ? 'silent' : 'offline',
      auth_status: isRefused ? refused : undefined,
      watched_ms: afterMs(mine),
    });
    if (!attempt(() => env.sendBeacon(reportUrl, body))) {
      within(REFETCH_MAX_MS, () =>
        env.fetch(reportUrl, { method: 'POST', body, keepalive: true, credentials: 'omit', mode: 'no-cors' }),
      );
    }
  };

  /** End the watch, and report what is known. */
  const finish = () => {
    if (!watch) return;
    report(watch);
    if (leftMs(watch) <= 0) forget(watch);
    watch = undefined;
    cancel(timer);
    closeStream();
    publish();
  };

  // --- across pages

  const storage = /** @type {Storage} */ (env.storage); // without one, each use throws, and `attempt` returns undefined
  const readKept = () => attempt(() => JSON.parse(storage.getItem(KEY) ?? ''));
  const remembered = () => {
    const kept = readKept();
    return typeof kept?.payment === 'string' && Math.abs(env.wallNow() - kept.at) < PENDING_MAX_MS ? kept : undefined;
  };
  /** @param {string} payment @param {Flow} flow @param {number} at */
  const remember = (payment, flow, at, isReported = false) =>
    attempt(() => storage.setItem(KEY, JSON.stringify({ payment, flow, at, isReported, returned })));
  /** Forget a payment, unless another one is stored by now. */
  const forget = ({ payment }) => {
    if (readKept()?.payment === payment) attempt(() => storage.removeItem(KEY));
  };

  const back = (event) => {
    if (env.document?.visibilityState === 'hidden') return;
    // Back from Stripe's page by the back button: this page was frozen, and the payment may have completed there.
    if (expected && event?.persisted) begin(expected, 'redirect');
    else trigger('return');
    wake();
  };
  const away = () => {
    if (watch) report(watch);
  };
  /** @type {[Environment['window'], string, (event: any) => void][]} */
  const events = [
    [env.window, 'pageshow', (event) => event?.persisted !== false && back(event)],
    [env.window, 'online', back],
    [env.window, 'pagehide', away],
    [env.document, 'visibilitychange', back],
  ];
  /** @param {'addEventListener' | 'removeEventListener'} how */
  const each = (how) => events.forEach(([target, name, act]) => target?.[how]?.(name, act));
  each('addEventListener');

  let published = '';
  const publish = () => {
    const { mode } = watch?.schedule ?? TIMERS;
    /** @type {PaymentState} */
    const state = {
      pending: watch && !watch.cleared ? watch.payment : null,
      cleared: cleared !== null,
      mode,
      isPush: mode !== TIMERS.mode,
    };
    const text = JSON.stringify(state);
    if (text === published || isStopped) return;
    published = text;
    attempt(() => options.onChange?.(state));
  };

  const prepare = () => {
    if (isStopped) return;
    listen();
    if (leaseMs() <= 0) requestFlag();
  };
  return {
    prepare,
    expect(payment) {
      expected = payment;
      remember(payment, 'redirect', env.wallNow());
    },
    begin(payment, { flow = 'in_page' } = {}) {
      begin(payment, flow);
    },
    resume(payment) {
      const kept = remembered();
      returned = payment;
      // The URL may still name a payment that is older than the stored one.
      const known = payment && kept?.returned !== payment ? payment : kept?.payment;
      if (known) begin(known, known === kept?.payment ? kept.flow : 'redirect');
      else prepare();
    },
    pushed() {
      if (!isStopped && !push()) within(REFETCH_MAX_MS, () => options.refetch(null));
    },
    stop() {
      if (isStopped) return;
      isStopped = true;
      // A page that stops at once is remounted (React's StrictMode): its one report is not due yet.
      if (watch && (watch.cleared || elapsed(watch) >= CONFIRM_WITHIN_MS)) report(watch);
      watch = undefined;
      for (const made of timers) cancel(made);
      aborter?.abort();
      closeStream();
      attempt(() => stopListening?.());
      each('removeEventListener');
    },
  };
}

/**
 * Return a source for an existing Echo. It reports when the channel is joined, lost or refused, and its event.
 *
 * The app uses the same Echo and channel. It may leave the channel and join it again (a hook whose dependencies change),
 * remove all listeners of the event, or create another Echo: a retained channel then receives nothing more. So the source
 * listens for the event on the connection, and `check` compares Echo and channel with the app's present ones.
 *
 * @param {EchoLike | (() => EchoLike)} echo
 * @param {string} channel without `private-`
 * @param {string | null} event null: it reports the subscription only
 * @param {(data: any) => boolean} isMine
 * @returns {Source}
 */
export function echoSource(echo, channel, event = null, isMine = () => true) {
  return {
    listen({ connected, subscribed, lost, refused, pushed }) {
      const name = `private-${channel}`;
      let mine;
      let isJoinedHere;
      let joined;
      /** @param {'bind' | 'unbind'} how */
      const each = (how) => {
        const { subscription, pusher } = joined;
        subscription[how]('pusher:subscription_succeeded', ok);
        subscription[how]('pusher:subscription_error', no);
        pusher.connection[how]('state_change', state);
        pusher.connection[how]('message', message);
      };
      const ok = () => subscribed();
      const no = (error) => refused(error?.status ?? 0);
      const state = ({ current }) => (current === 'connected' ? connected?.() : lost());
      const message = (received) => {
        if (received?.channel !== name) return;
        check();
        const isEvent = event && received.event === joined.eventFormatter.format(event);
        if (isEvent && attempt(() => isMine(received.data))) pushed(received.data);
      };
      const join = () => {
        const now = present(echo);
        isJoinedHere = !now.connector.pusher.channel(name);
        joined = now.private(channel);
        mine = now;
        each('bind');
        if (joined.pusher.connection.state === 'connected') {
          connected?.();
          if (joined.subscription.subscribed) subscribed();
        }
      };
      const check = () => {
        if (present(echo) === mine && joined.pusher.channel(name) === joined.subscription) return;
        each('unbind');
        lost();
        join();
      };
      join();
      const stop = () => {
        each('unbind');
        // pusher-js does not count users of a channel. Other listeners show in its bindings; in doubt, stay joined.
        const { callbacks, global_callbacks: others } = joined.subscription;
        const bound = [others, ...Object.values(callbacks?._callbacks ?? ['unknown'])];
        if (isJoinedHere && !bound.some((all) => all?.length)) mine.leaveChannel(name);
      };
      return Object.assign(stop, { check });
    },
  };
}
