/**
 * After a payment: when to refetch, so that "Pay now" goes away whatever happens to push.
 *
 * The problem: Pusher has no replay, a subscription can fail in silence, the flag's answer is only leased, and pages are
 * frozen, restored and left. Whoever trusts push alone leaves some payer with "Pay now".
 *
 * What we do: follow the flag's schedule, rely on push only while the subscription is positively known and the lease
 * runs, and refetch once at every moment in which a push may have been missed. And tell the sidecar what happened.
 *
 * @import { Environment, Flow, Listener, Mode, Options, PaymentRefresh, PaymentState, Source, EchoLike } from './payment-refresh.d.ts'
 */

/**
 * @typedef {{ mode: Mode, refetch_after_ms: number[], safety_net_ms: number | null, version: number, valid_for_s: number }} Answer
 *
 * @typedef {object} Watch A payment that is watched over. All times are on the monotonic clock, most from `at` on.
 * @property {string} payment
 * @property {Facts} facts
 * @property {number} at when it began
 * @property {number} wall when it was first heard of, on the wall clock
 * @property {boolean} [isReported]
 * @property {Answer} schedule what is followed now
 * @property {boolean} [isDecided] the flag is known
 * @property {boolean} [fell] push was relied upon, and is no more
 * @property {boolean} [wasUp] the channel was joined at some time since
 * @property {number} done up to when the schedule has been seen to
 * @property {number} lookAt when the next look is planned
 * @property {number} refetchedAt when the last refetch began
 * @property {boolean} [inFlight] a refetch is on its way
 * @property {boolean} [isSent] and the app has been asked already
 * @property {boolean} [isNews] a push came that no refetch has followed yet
 * @property {number} retryAt when a push's refetch that found it not paid is tried once more
 * @property {Cause} [next] what waits for the refetch on its way
 * @property {Cause} [left] what was left to the timers
 * @property {boolean} [cleared]
 * @property {string | null} [token]
 *
 * @typedef {object} Facts What is reported of it, under the names of the report.
 * @property {string} payment_intent
 * @property {Flow} flow
 * @property {Mode} mode what was followed at first, of which `version`
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
const LOOK_AGAIN_MS = 1000;
const AWAY_MS = 3000;
const KEY = 'reverb-sidecar:payment';

const isUpTo = (max, value) => Number.isFinite(value) && value >= 0 && value <= max;
const isTimers = (answer) => answer.mode === TIMERS.mode;

/** Say whether the flag's answer is one that can be followed; timers that never poll are none. */
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
 * Do what may throw.
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
 * Do what may throw or fail, and resolve to what comes of it.
 *
 * @template T
 * @param {() => T | Promise<T>} act
 * @returns {Promise<T | undefined>}
 */
const soon = (act) => Promise.resolve().then(act).catch(() => undefined);

/** Return a value, or what the function that gives it returns now. */
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
 * Make the object that watches over payments in this page.
 *
 * @param {Options} options
 * @returns {PaymentRefresh}
 */
export function createPaymentRefresh(options) {
  const env = { ...browser(), ...options.environment };
  const { flagUrl, source } = options; // what else is in it may be another one with every use
  let answer = TIMERS; // as it was last told
  let since = -Infinity; // from when on it is believed, on the monotonic clock: when it was asked for, less its age
  let sinceWall = -Infinity; // and on the wall clock
  let issuedAt = 0;
  /** @type {Promise<void> | undefined} */
  let asking; // a request for the flag is on its way
  let fails = 0; // requests for the flag in a row that brought nothing
  let askAgainAt = Infinity;
  let isUp = false; // the channel is joined: positively known
  let isConnected = false; // the socket was connected at some time
  /** @type {number | undefined} */
  let refused; // the status of the last refusal, until it is joined
  /** @type {ReturnType<Source['listen']> | undefined} */
  let stopListening;
  /** @type {EventSource | undefined} */
  let stream;
  /** @type {Watch | undefined} */
  let watch; // the payment that is pending, or that is still to be reported
  /** @type {string | undefined} */
  let expected; // the payment that this page left for Stripe with
  /** @type {string | null | undefined} */
  let returned; // the payment that this page's URL names
  /** @type {string | null} */
  let cleared = null; // the last payment, once it was found paid
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
   * Resolve to what a promise does, or to undefined when it fails or takes too long.
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

  /** Return for how long the answer may still be believed, in milliseconds. */
  const leaseMs = () => answer.valid_for_s * 1000 - Math.max(env.now() - since, env.wallNow() - sinceWall);

  /**
   * Take an answer, if it is newer than what we have.
   *
   * @param {Answer} told
   * @param {number} issued
   * @param {number} now
   * @param {number} wall
   */
  const take = (told, issued, now, wall) => {
    if (!isGood(told) || !(issued > issuedAt)) return false;
    answer = told;
    issuedAt = issued;
    since = now;
    sinceWall = wall;
    return true;
  };

  /** @param {string} base */
  const addressOf = (base) => {
    const url = new URL(base, env.document?.baseURI);
    if (options.targetingKey) url.searchParams.set('targeting_key', options.targetingKey);
    return url;
  };

  /** Return when to renew, which is done only while a payment is pending: at half of what is left. */
  const halfLeaseMs = () => Math.max(1000, Math.min(15000, leaseMs() / 2));

  const ask = () => {
    if (asking || isStopped) return;
    askAgainAt = Infinity;
    const now = env.now();
    const wall = env.wallNow();
    aborter = new AbortController();
    asking = within(FLAG_MAX_MS, async () => {
      const url = addressOf(flagUrl);
      url.searchParams.set('_', String(env.random()));
      const response = await env.fetch(url.href, { cache: 'no-store', credentials: 'omit', signal: aborter?.signal });
      if (!response.ok) return false;
      const ageMs = 1000 * Number(response.headers.get('Age')); // none: 0
      const issued = Number(response.headers.get('Reverb-Sidecar-Issued-At'));
      return ageMs >= 0 && take(await response.json(), issued, now - ageMs, wall - ageMs);
    }).then((isNew) => {
      aborter?.abort(); // what took too long, or was not read
      asking = undefined;
      fails = isNew ? 0 : fails + 1;
      if (isStopped) return;
      askAgainAt = env.now() + (isNew ? halfLeaseMs() : Math.min(30000, 500 * 2 ** fails));
      wake();
    });
  };

  const openStream = () => {
    const { streamUrl } = options;
    if (!streamUrl || stream) return;
    stream = attempt(() => new /** @type {typeof EventSource} */ (env.EventSource)(addressOf(streamUrl).href));
    if (!stream) return;
    stream.onmessage = ({ data }) => {
      const told = attempt(() => JSON.parse(data));
      // It may have waited long to be read, in a page that was frozen: it was issued so long after the last answer.
      const later = told?.issued_at - issuedAt;
      const isNew =
        issuedAt && take(told, told?.issued_at, Math.min(env.now(), since + later), Math.min(env.wallNow(), sinceWall + later));
      if (isNew) wake();
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
    watch.isNews = true;
    trigger('push');
    return true;
  };

  // --- a payment

  /** @param {Watch} mine */
  const elapsed = (mine) => env.now() - mine.at;
  /** @param {Watch} mine */
  const afterMs = (mine) => Math.min(PENDING_MAX_MS, Math.round(elapsed(mine)));

  /**
   * Return what is left of the hour, by either clock: one may be set, the other stand still in a machine that sleeps.
   *
   * @param {Watch} mine
   */
  const leftMs = (mine) => PENDING_MAX_MS - Math.max(elapsed(mine), env.wallNow() - mine.wall);

  /**
   * Say whether push is relied upon now; before it is confirmed, for three seconds from the payment on.
   *
   * @param {Watch} mine
   */
  const relies = (mine) => {
    if (isTimers(answer) || leaseMs() <= 0) return false;
    return isUp || (refused === undefined && !mine.wasUp && elapsed(mine) < CONFIRM_WITHIN_MS);
  };

  /**
   * Return what is to be followed now.
   *
   * @param {Watch} mine
   */
  const choose = (mine) => (relies(mine) || (isTimers(answer) && leaseMs() > 0) ? answer : TIMERS);

  /**
   * Follow what the flag says, once that is known.
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
      isReported: isKept && kept.isReported, // by the page as it was before it was loaded anew
      schedule: TIMERS,
      done: 0,
      lookAt: 0,
      refetchedAt: 0,
      retryAt: Infinity,
    };
    watch = mine;
    cleared = null;
    expected = undefined;
    remember(payment, flow, mine.wall, mine.isReported);
    follow(mine);
    // Without a limit: it costs nothing to wait, and a page that is frozen meanwhile would find the limit passed.
    soon(() => options.reportUrl && present(options.token)).then((token) => {
      mine.token = token;
      if (mine === watch) tick();
      else if (elapsed(mine) >= LAST_MS) report(mine); // it ended meanwhile
    });
    if (leaseMs() <= 0) ask();
    else askAgainAt = Math.min(askAgainAt, env.now() + halfLeaseMs());
    openStream();
    trigger('first');
    tick();
  };

  /**
   * Refetch because of something; while one is on its way, once more after it.
   *
   * @param {Cause} why
   */
  const trigger = (why, isRetry = false) => {
    if (!watch || (watch.cleared && why !== 'timer')) return;
    // The timers' own schedule is three requests: what they are about to do anyway needs no fourth.
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

  /** @param {Watch} mine @param {Cause} why @param {boolean} isRetry a push's second try */
  const run = async (mine, why, isRetry) => {
    let isNews; // a push came before it was sent
    mine.inFlight = true;
    mine.isSent = false;
    mine.facts.refetches += 1;
    mine.refetchedAt = elapsed(mine);
    const isPaid = await within(REFETCH_MAX_MS, () => {
      isNews = mine.isNews;
      mine.isSent = true;
      mine.isNews = false;
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
    } else if (isPaid !== true && (isNews || isRetry)) {
      mine.facts.stale_refetches += 1;
      if (isNews) mine.retryAt = env.now() + STALE_AFTER_MS;
    }
    if (next) trigger(next);
    wake();
  };

  /** Ask the source for what nothing told: an app that left the channel. */
  const check = () => attempt(() => stopListening?.check?.());

  /** Look at the world: what is due, and when is the next look? */
  const tick = () => {
    if (isStopped) return;
    cancel(timer);
    if (watch) look(watch);
    tell();
  };
  const wake = () => {
    if (watch) check();
    tick();
  };

  /** @param {Watch} mine */
  const look = (mine) => {
    const ms = elapsed(mine);
    // Long after its time, as in a page that was frozen: whoever thaws hears of the return only after the timers.
    if (ms - mine.lookAt > AWAY_MS) trigger('return');
    mine.wasUp ||= isUp;
    follow(mine);
    if (!mine.cleared && !isTimers(mine.schedule)) {
      // Another schedule: what it would have done by now is due.
      if (mine.schedule !== answer) mine.done = Math.min(mine.done, mine.refetchedAt);
      if (relies(mine)) {
        mine.schedule = answer;
      } else {
        const why = leaseMs() <= 0 && !isTimers(answer) ? 'lease' : 'moved';
        mine.schedule = choose(mine);
        mine.fell = true;
        trigger(why); // and with it what the timers would have done by now
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
    const looks = [LAST_MS, ...(mayPoll ? schedule.refetch_after_ms : [])];
    if (!mine.cleared) {
      looks.push(netMs, mine.wasUp ? 0 : CONFIRM_WITHIN_MS);
      next.push(mine.retryAt - env.now());
      if (!isTimers(schedule)) next.push(leaseMs(), LOOK_AGAIN_MS);
      if (ms < LAST_MS) {
        if (askAgainAt <= env.now()) ask();
        next.push(askAgainAt - env.now());
      }
    }
    next.push(...looks.filter((at) => at > ms).map((at) => at - ms));
    const waitMs = Math.max(1, Math.min(...next));
    mine.lookAt = ms + waitMs;
    timer = after(waitMs, wake);
  };

  /**
   * Tell the sidecar, once per payment, what happened.
   *
   * @param {Watch} mine
   */
  const report = (mine) => {
    const { reportUrl } = options;
    if (mine.isReported || !reportUrl || typeof mine.token !== 'string') return;
    mine.isReported = true;
    // Another one may be expected by now.
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

  /** End what is being watched; tell of it what is known. */
  const finish = () => {
    if (!watch) return;
    report(watch);
    if (leftMs(watch) <= 0) forget(watch);
    watch = undefined;
    cancel(timer);
    closeStream();
    tell();
  };

  // --- across pages

  const storage = /** @type {Storage} */ (env.storage); // where there is none, using it fails, and that is all
  const readKept = () => attempt(() => JSON.parse(storage.getItem(KEY) ?? ''));
  const remembered = () => {
    const kept = readKept();
    return typeof kept?.payment === 'string' && Math.abs(env.wallNow() - kept.at) < PENDING_MAX_MS ? kept : undefined;
  };
  /** @param {string} payment @param {Flow} flow @param {number} at */
  const remember = (payment, flow, at, isReported = false) =>
    attempt(() => storage.setItem(KEY, JSON.stringify({ payment, flow, at, isReported, returned })));
  /** Forget a payment; another one may be expected by now. */
  const forget = ({ payment }) => {
    if (readKept()?.payment === payment) attempt(() => storage.removeItem(KEY));
  };

  const back = (event) => {
    if (env.document?.visibilityState === 'hidden') return;
    // Back from Stripe's page by the button: this page was kept as it was, and does not know what was done there.
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

  let told = '';
  const tell = () => {
    const { mode } = watch?.schedule ?? TIMERS;
    /** @type {PaymentState} */
    const state = {
      pending: watch && !watch.cleared ? watch.payment : null,
      cleared: cleared !== null,
      mode,
      isPush: mode !== TIMERS.mode,
    };
    const text = JSON.stringify(state);
    if (text === told || isStopped) return;
    told = text;
    attempt(() => options.onChange?.(state));
  };

  const prepare = () => {
    if (isStopped) return;
    listen();
    if (leaseMs() <= 0) ask();
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
      // The URL may still name a payment that was there before the one that is kept began.
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
      // A page that stops at once is one that begins again (React's StrictMode): its one report is not yet due.
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
 * Make a source of an existing Echo: it tells when the channel is joined, lost or refused, and of its event.
 *
 * Echo and channel are the app's too. It may leave the channel and join it anew (a hook whose dependencies change), end
 * all who listen to the event, or make another Echo: what was held is then silent for ever. So the event is heard at the
 * connection, and `check` looks whether all is still what the app has.
 *
 * @param {EchoLike | (() => EchoLike)} echo
 * @param {string} channel without `private-`
 * @param {string | null} event null: it tells of the subscription only
 * @param {(data: any) => boolean} isMine
 * @returns {Source}
 */
export function echoSource(echo, channel, event = null, isMine = () => true) {
  return {
    listen({ connected, subscribed, lost, refused, pushed }) {
      const name = `private-${channel}`;
      let mine;
      let isOurs;
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
      const message = (told) => {
        if (told?.channel !== name) return;
        check();
        const isEvent = event && told.event === joined.eventFormatter.format(event);
        if (isEvent && attempt(() => isMine(told.data))) pushed(told.data);
      };
      const join = () => {
        const now = present(echo);
        isOurs = !now.connector.pusher.channel(name);
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
        // pusher-js counts nobody; who else listens is seen by what is bound. In doubt the channel is kept.
        const { callbacks, global_callbacks: others } = joined.subscription;
        const bound = [others, ...Object.values(callbacks?._callbacks ?? ['unknown'])];
        if (isOurs && !bound.some((all) => all?.length)) mine.leaveChannel(name);
      };
      return Object.assign(stop, { check });
    },
  };
}
