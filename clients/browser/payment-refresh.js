/**
 * After a payment: when to refetch, so that "Pay now" goes away whatever happens to push.
 *
 * The problem: Pusher has no replay, a subscription can fail in silence, the flag's answer is only leased, and pages are
 * frozen, restored and left. Whoever trusts push alone leaves some payer with "Pay now".
 *
 * What we do: follow the flag's schedule, rely on push only while the subscription is positively known and the lease
 * runs, and refetch once at every moment in which a push may have been missed. And tell the sidecar what happened.
 */

const TIMERS = { mode: 'timer_polling', refetch_after_ms: [0, 2000, 5000], safety_net_ms: null, version: 0, valid_for_s: 0 };
const MODES = ['timer_polling', 'push_with_safety_net', 'push_only'];
const CONFIRM_WITHIN_MS = 3000;
const STALE_AFTER_MS = 1000;
const LAST_MS = 30000;
const REFETCH_MAX_MS = 10000;
const FLAG_MAX_MS = 5000;
const PENDING_MAX_MS = 3600000;
const LOOK_AGAIN_MS = 1000;
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

const attempt = (act) => {
  try {
    return act();
  } catch {
    return undefined;
  }
};

const browser = () => ({
  fetch: (...all) => fetch(...all),
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimeout: (...all) => setTimeout(...all),
  clearTimeout: (timer) => clearTimeout(timer),
  random: () => Math.random(),
  storage: attempt(() => sessionStorage),
  window: globalThis.window,
  document: globalThis.document,
  sendBeacon: (url, body) => navigator.sendBeacon(url, body),
  EventSource: globalThis.EventSource,
});

/** Make the object that watches over payments in this page. */
export function createPaymentRefresh(options) {
  const env = { ...browser(), ...options.environment };
  const { flagUrl, source, onChange } = options;
  let answer = TIMERS; // as it was last told
  let sentAt; // { now, wall } of the request that brought it, `age` included
  let issuedAt = 0;
  let asking; // a request for the flag is on its way
  let fails = 0; // requests for the flag in a row that brought nothing
  let askAgainAt = Infinity;
  let channel = { up: false, connected: false, refused: undefined };
  let stopListening;
  let stream;
  let watch; // the payment that is pending, or that is still to be reported
  let expected; // the payment that this page left for Stripe with
  let cleared = null; // the last payment, once it was found paid
  let timer;
  let aborter;
  let isStopped = false;

  // --- time

  const timers = new Set();
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

  /** Resolve to what a promise does, or to undefined when it fails or takes too long. */
  const within = (ms, act) =>
    new Promise((resolve) => {
      const limit = after(ms, resolve);
      Promise.resolve()
        .then(act)
        .catch(() => undefined)
        .then((value) => {
          cancel(limit);
          resolve(value);
        });
    });

  // --- the flag

  /** Return for how long the answer may still be believed, in milliseconds. */
  const leaseMs = () =>
    sentAt ? answer.valid_for_s * 1000 - Math.max(env.now() - sentAt.now, env.wallNow() - sentAt.wall) - sentAt.ageMs : 0;

  /** Take an answer, if it is newer than what we have. */
  const take = (told, issued, sent, ageMs) => {
    if (!isGood(told) || !(issued > issuedAt)) return false;
    answer = told;
    issuedAt = issued;
    sentAt = { ...sent, ageMs };
    return true;
  };

  /** Return when to renew, which is done only while a payment is pending: at half of what is left. */
  const halfLeaseMs = () => Math.max(1000, Math.min(15000, leaseMs() / 2));

  const ask = () => {
    if (asking || isStopped) return;
    askAgainAt = Infinity;
    const sent = { now: env.now(), wall: env.wallNow() };
    const url = new URL(flagUrl, env.document?.baseURI);
    if (options.targetingKey) url.searchParams.set('targeting_key', options.targetingKey);
    url.searchParams.set('_', env.random().toString(36).slice(2));
    aborter = attempt(() => new AbortController());
    asking = within(FLAG_MAX_MS, async () => {
      const response = await env.fetch(url.href, { cache: 'no-store', credentials: 'omit', signal: aborter?.signal });
      if (!response.ok) return false;
      const ageMs = 1000 * Number(response.headers.get('Age') ?? 0);
      const issued = Number(response.headers.get('Reverb-Sidecar-Issued-At'));
      return ageMs >= 0 && take(await response.json(), issued, sent, ageMs);
    }).then((isNew) => {
      if (isNew === undefined) attempt(() => aborter?.abort());
      asking = undefined;
      fails = isNew ? 0 : fails + 1;
      if (isStopped) return;
      askAgainAt = env.now() + (isNew ? halfLeaseMs() : Math.min(30000, 500 * 2 ** Math.min(fails, 6)));
      tick();
    });
  };

  const openStream = () => {
    if (!options.streamUrl || stream || !env.EventSource) return;
    const url = new URL(options.streamUrl, env.document?.baseURI);
    if (options.targetingKey) url.searchParams.set('targeting_key', options.targetingKey);
    stream = attempt(() => new env.EventSource(url.href));
    if (!stream) return;
    stream.onmessage = ({ data }) => {
      const told = attempt(() => JSON.parse(data));
      // It may have waited long to be read, in a page that was frozen: it was issued so long after the last answer.
      const later = told?.issued_at - issuedAt;
      if (!sentAt || !(later > 0)) return;
      const sent = { now: Math.min(env.now(), sentAt.now + later), wall: Math.min(env.wallNow(), sentAt.wall + later) };
      if (take(told, told.issued_at, sent, sentAt.ageMs)) tick();
    };
  };

  const closeStream = () => {
    attempt(() => stream?.close());
    stream = undefined;
  };

  // --- the channel

  const listen = () => {
    attempt(() => {
      stopListening ??= source.listen({
        connected: () => {
          channel.connected = true;
        },
        subscribed: () => {
          channel = { up: true, connected: true, refused: undefined };
          if (watch) {
            watch.subscribedAt ??= Math.max(0, env.now() - watch.at);
            trigger('subscribe');
          }
          tick();
        },
        lost: () => {
          channel.up = false;
          tick();
        },
        refused: (status) => {
          channel = { up: false, connected: true, refused: status ?? 0 };
          tick();
        },
        pushed: () => push(),
      });
    });
  };

  const push = () => {
    if (!watch) return false;
    const isFirst = watch.pushedAt === undefined;
    watch.pushedAt ??= env.now() - watch.at;
    if (watch.cleared) return isFirst;
    watch.isNews = true;
    trigger('push');
    return true;
  };

  // --- a payment

  const elapsed = (mine) => env.now() - mine.at;
  /** Return what is left of the hour, by either clock: one may be set, the other stand still in a machine that sleeps. */
  const leftMs = (mine) => PENDING_MAX_MS - Math.max(elapsed(mine), env.wallNow() - mine.wall);

  /** Say whether push is relied upon now; before it is confirmed, for three seconds from the payment on. */
  const relies = () => {
    if (isTimers(answer) || leaseMs() <= 0) return false;
    return channel.up || (channel.refused === undefined && !watch.wasUp && elapsed(watch) < CONFIRM_WITHIN_MS);
  };

  /** Return what is to be followed now. */
  const choose = () => (relies() || (isTimers(answer) && leaseMs() > 0) ? answer : TIMERS);

  /** Follow what the flag says, once that is known. */
  const follow = (mine) => {
    if (mine.isDecided || mine.fell) return;
    mine.isDecided = leaseMs() > 0;
    if (!mine.isDecided) return;
    mine.schedule = choose();
    mine.mode = mine.schedule.mode;
    mine.version = answer.version;
    if (mine.left && !isTimers(mine.schedule)) trigger(mine.left);
  };

  const begin = (payment, flow) => {
    if (isStopped || watch?.payment === payment || cleared === payment) return;
    finish();
    listen();
    check();
    const kept = remembered();
    const isKept = kept?.payment === payment;
    watch = {
      payment,
      flow,
      at: env.now(),
      wall: isKept ? kept.at : env.wallNow(),
      isReported: isKept && kept.isReported === true, // by the page as it was before it was loaded anew
      schedule: TIMERS,
      mode: TIMERS.mode,
      version: 0,
      wasUp: channel.up,
      subscribedAt: channel.up ? 0 : undefined,
      done: 0,
      refetchedAt: 0,
      refetches: 0,
      stale: 0,
    };
    cleared = null;
    expected = undefined;
    remember(watch);
    follow(watch);
    askForToken(watch);
    if (leaseMs() <= 0) ask();
    else askAgainAt = Math.min(askAgainAt, env.now() + halfLeaseMs());
    openStream();
    trigger('first');
    tick();
  };

  const askForToken = (mine) => {
    if (!options.reportUrl || !options.token) return;
    within(FLAG_MAX_MS, () => (typeof options.token === 'function' ? options.token() : options.token)).then((token) => {
      mine.token = token;
    });
  };

  /** Refetch because of something; while one is on its way, once more after it. */
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

  const run = async (mine, why, isRetry) => {
    let isNews; // a push came before it was sent
    mine.inFlight = true;
    mine.isSent = false;
    mine.refetches += 1;
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
      mine.clearedBy = why;
      mine.clearedAt = elapsed(mine);
      forget(mine);
    } else if (isPaid !== true && (isNews || isRetry)) {
      mine.stale += 1;
      if (isNews) mine.retryAt = env.now() + STALE_AFTER_MS;
    }
    if (next) trigger(next);
    tick();
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

  const look = (mine) => {
    const ms = elapsed(mine);
    mine.wasUp ||= channel.up;
    follow(mine);
    if (!mine.cleared && !isTimers(mine.schedule) && mine.schedule !== answer) {
      mine.done = Math.min(mine.done, mine.refetchedAt); // another schedule: what it would have done by now is due
    }
    if (!mine.cleared && !isTimers(mine.schedule)) {
      if (relies()) {
        mine.schedule = answer;
      } else {
        const why = leaseMs() <= 0 && !isTimers(answer) ? 'lease' : 'moved';
        mine.schedule = choose();
        mine.fell = true;
        mine.done = ms; // what the timers would have done by now, this refetch does
        trigger(why);
      }
    }
    const due = (at) => at > mine.done && at <= ms;
    const { schedule } = mine;
    const mayPoll = !mine.cleared || (isTimers(schedule) && !mine.fell);
    if (mayPoll && schedule.refetch_after_ms.some(due)) trigger('timer');
    if (!mine.cleared && schedule.safety_net_ms !== null && due(schedule.safety_net_ms)) trigger('safety_net');
    if (!mine.cleared && (due(LAST_MS) || leftMs(mine) <= 0)) trigger('last');
    mine.done = Math.max(mine.done, ms);
    if (!mine.cleared && mine.retryAt <= env.now()) {
      mine.retryAt = Infinity;
      trigger('push', true);
    }
    if (ms >= LAST_MS) {
      closeStream();
      if (!mine.inFlight) report(mine);
    }
    if (leftMs(mine) <= 0 || (mine.cleared && mine.isReported && !mayPoll)) {
      finish();
      return;
    }
    const isWaiting = !mine.cleared;
    if (isWaiting && askAgainAt <= env.now() && ms < LAST_MS) ask();
    const next = [
      ...(mayPoll ? schedule.refetch_after_ms : []),
      ...(isWaiting && schedule.safety_net_ms !== null ? [schedule.safety_net_ms] : []),
      ...(isWaiting && !mine.wasUp ? [CONFIRM_WITHIN_MS] : []),
      LAST_MS,
    ]
      .filter((at) => at > ms)
      .map((at) => at - ms);
    next.push(leftMs(mine));
    if (isWaiting && !isTimers(schedule)) next.push(leaseMs(), LOOK_AGAIN_MS);
    if (isWaiting && mine.retryAt !== undefined) next.push(mine.retryAt - env.now());
    if (isWaiting && ms < LAST_MS) next.push(askAgainAt - env.now());
    timer = after(Math.max(1, Math.min(...next)), wake);
  };

  /** Tell the sidecar, once per payment, what happened. */
  const report = (mine) => {
    if (mine.isReported) return;
    mine.isReported = true;
    if (!options.reportUrl || typeof mine.token !== 'string') return;
    if (!mine.cleared) remember(mine);
    const subscription =
      mine.subscribedAt !== undefined
        ? 'confirmed'
        : channel.refused !== undefined
          ? 'refused'
          : channel.connected
            ? 'silent'
            : 'offline';
    const ms = (value) => (value === undefined ? undefined : Math.min(PENDING_MAX_MS, Math.round(value)));
    const body = JSON.stringify({
      token: mine.token,
      payment_intent: mine.payment,
      flow: mine.flow,
      mode: mine.mode,
      version: mine.version,
      subscription,
      auth_status: subscription === 'refused' ? channel.refused : undefined,
      subscribed_after_ms: ms(mine.subscribedAt),
      pushed_after_ms: ms(mine.pushedAt),
      cleared_after_ms: ms(mine.clearedAt),
      cleared_by: mine.clearedBy,
      refetches: Math.min(1000, mine.refetches),
      stale_refetches: Math.min(1000, mine.stale),
      watched_ms: ms(elapsed(mine)),
    });
    if (!attempt(() => env.sendBeacon(options.reportUrl, body))) {
      attempt(() =>
        env
          .fetch(options.reportUrl, { method: 'POST', body, keepalive: true, credentials: 'omit', mode: 'no-cors' })
          .catch(() => {}),
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

  const readKept = () => attempt(() => JSON.parse(env.storage.getItem(KEY)));
  const remembered = () => {
    const kept = readKept();
    return typeof kept?.payment === 'string' && Math.abs(env.wallNow() - kept.at) < PENDING_MAX_MS ? kept : undefined;
  };
  const remember = ({ payment, flow, wall: at, isReported }) =>
    attempt(() => env.storage.setItem(KEY, JSON.stringify({ payment, flow, at, isReported })));
  /** Forget a payment; another one may be expected by now. */
  const forget = ({ payment }) => {
    if (readKept()?.payment === payment) attempt(() => env.storage.removeItem(KEY));
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
  const events = [
    [env.window, 'pageshow', (event) => event?.persisted !== false && back(event)],
    [env.window, 'online', back],
    [env.window, 'pagehide', away],
    [env.document, 'visibilitychange', back],
    [env.document, 'resume', back],
  ];
  for (const [target, name, act] of events) target?.addEventListener?.(name, act);

  let told = '';
  const tell = () => {
    const state = {
      pending: watch && !watch.cleared ? watch.payment : null,
      cleared: cleared !== null,
      mode: watch ? watch.schedule.mode : answer.mode,
      isPush: watch ? !isTimers(watch.schedule) : channel.up && !isTimers(answer) && leaseMs() > 0,
    };
    const text = JSON.stringify(state);
    if (text === told || isStopped) return;
    told = text;
    attempt(() => onChange?.(state));
  };

  return {
    prepare() {
      if (isStopped) return;
      listen();
      if (leaseMs() <= 0) ask();
    },
    expect(payment) {
      expected = payment;
      remember({ payment, flow: 'redirect', wall: env.wallNow() });
    },
    begin(payment, { flow = 'in_page' } = {}) {
      begin(payment, flow);
    },
    resume(payment) {
      const kept = remembered();
      const known = payment ?? kept?.payment;
      if (known) begin(known, !payment && kept.flow === 'in_page' ? 'in_page' : 'redirect');
      else this.prepare();
    },
    pushed() {
      if (!push()) attempt(() => Promise.resolve(options.refetch(null)).catch(() => {}));
    },
    stop() {
      if (isStopped) return;
      isStopped = true;
      // A page that stops at once is one that begins again (React's StrictMode): its one report is not yet due.
      if (watch && (watch.cleared || elapsed(watch) >= CONFIRM_WITHIN_MS)) report(watch);
      watch = undefined;
      for (const made of timers) cancel(made);
      attempt(() => aborter?.abort());
      closeStream();
      attempt(() => stopListening?.());
      for (const [target, name, act] of events) target?.removeEventListener?.(name, act);
    },
  };
}

/**
 * Make a source of an existing Echo: it tells when the channel is joined, lost or refused, and of its event.
 *
 * The channel is the app's too. It may leave it and join it anew at any time (a hook whose dependencies change): that is
 * then another object, and the old one is silent for ever.
 */
export function echoSource(echo, channel, event = null, isMine = () => true) {
  return {
    listen({ connected, subscribed, lost, refused, pushed }) {
      const { pusher } = echo.connector;
      const name = `private-${channel}`;
      let isOurs = false;
      let joined;
      const ok = () => subscribed();
      const no = (error) => refused(error?.status ?? 0);
      const hear = (data) => attempt(() => isMine(data)) && pushed(data);
      const join = () => {
        isOurs = !pusher.channel(name);
        joined = echo.private(channel);
        joined.subscription.bind('pusher:subscription_succeeded', ok);
        joined.subscription.bind('pusher:subscription_error', no);
        if (event) joined.listen(event, hear);
        if (pusher.connection.state === 'connected') {
          connected?.();
          if (joined.subscription.subscribed) subscribed();
        }
      };
      const part = () => {
        joined.subscription.unbind('pusher:subscription_succeeded', ok);
        joined.subscription.unbind('pusher:subscription_error', no);
        if (event) joined.stopListening(event, hear);
      };
      const check = () => {
        if (pusher.channel(name) === joined.subscription) return;
        part();
        lost();
        join();
      };
      const state = ({ current }) => (current === 'connected' ? connected?.() : lost());
      const message = (told) => told?.channel === name && check();
      pusher.connection.bind('state_change', state);
      pusher.connection.bind('message', message);
      join();
      const stop = () => {
        pusher.connection.unbind('state_change', state);
        pusher.connection.unbind('message', message);
        part();
        // pusher-js counts nobody; who else listens is seen by what is bound. In doubt the channel is kept.
        const { callbacks, global_callbacks: others } = joined.subscription;
        const bound = Object.values(callbacks?._callbacks ?? { unknown: [1] });
        if (isOurs && !others?.length && bound.every((all) => !all?.length)) echo.leaveChannel(name);
      };
      return Object.assign(stop, { check });
    },
  };
}
