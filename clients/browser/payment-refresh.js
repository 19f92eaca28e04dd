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
const KEY = 'reverb-sidecar:payment';

const isCount = (value) => Number.isFinite(value) && value >= 0 && value <= 3600000;

/** Say whether the flag's answer is one that can be followed. */
const isGood = (answer) =>
  MODES.includes(answer?.mode) &&
  Array.isArray(answer.refetch_after_ms) &&
  answer.refetch_after_ms.length <= 10 &&
  answer.refetch_after_ms.every(isCount) &&
  (answer.safety_net_ms === null || isCount(answer.safety_net_ms)) &&
  isCount(answer.valid_for_s) &&
  Number.isInteger(answer.version);

const attempt = (act) => {
  try {
    return act();
  } catch {
    return undefined;
  }
};

/** Resolve to what a promise does, or to undefined when it fails or takes too long. */
const within = (ms, act, env) =>
  new Promise((resolve) => {
    const timer = env.setTimeout(resolve, ms);
    Promise.resolve()
      .then(act)
      .catch(() => undefined)
      .then((value) => {
        env.clearTimeout(timer);
        resolve(value);
      });
  });

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
  let channel = { up: false, at: undefined, refused: undefined, connected: false };
  let stopListening;
  let stream;
  let watch; // the payment that is pending, or that is still to be reported
  let cleared = null; // the last payment, once it was found paid
  let timer;
  let isStopped = false;

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

  const ask = () => {
    if (asking || isStopped) return asking;
    askAgainAt = Infinity;
    const sent = { now: env.now(), wall: env.wallNow() };
    const url = new URL(flagUrl, env.document?.baseURI);
    if (options.targetingKey) url.searchParams.set('targeting_key', options.targetingKey);
    url.searchParams.set('_', env.random().toString(36).slice(2));
    const aborter = attempt(() => new AbortController());
    asking = within(
      FLAG_MAX_MS,
      async () => {
        const response = await env.fetch(url.href, {
          cache: 'no-store',
          credentials: 'omit',
          signal: aborter?.signal,
        });
        if (!response.ok) return false;
        const ageMs = Math.max(0, 1000 * (Number(response.headers.get('Age')) || 0));
        const issued = Number(response.headers.get('Reverb-Sidecar-Issued-At'));
        return take(await response.json(), issued, sent, ageMs);
      },
      env,
    ).then((isNew) => {
      if (isNew === undefined) attempt(() => aborter?.abort());
      asking = undefined;
      fails = isNew ? 0 : fails + 1;
      if (isStopped) return;
      // Only while a payment is pending: at half of what is valid, and with back-off where nothing comes.
      const halfMs = Math.max(1000, Math.min(15000, answer.valid_for_s * 500));
      askAgainAt = env.now() + (isNew ? halfMs : Math.min(30000, 500 * 2 ** Math.min(fails, 6)));
      tick();
    });
    return asking;
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
    if (stopListening) return;
    stopListening =
      attempt(() =>
        source.listen({
          connected: () => (channel.connected = true),
          subscribed: () => {
            channel = { ...channel, up: true, connected: true, at: channel.at ?? env.now(), refused: undefined };
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
            channel = { ...channel, up: false, connected: true, refused: status ?? 0 };
            tick();
          },
          pushed: () => push(),
        }),
      ) ?? (() => {});
  };

  const push = () => {
    if (!watch) return false;
    const isFirst = watch.pushedAt === undefined;
    watch.pushedAt ??= env.now() - watch.at;
    if (watch.cleared) return isFirst;
    trigger('push');
    return true;
  };

  // --- a payment

  /** Say whether push is relied upon now; before it is confirmed, for three seconds from the payment on. */
  const relies = () => {
    if (answer.mode === TIMERS.mode || leaseMs() <= 0) return false;
    return channel.up || (channel.refused === undefined && !watch.wasUp && env.now() - watch.at < CONFIRM_WITHIN_MS);
  };

  /** Follow what the flag says, once that is known. */
  const follow = (mine) => {
    if (mine.isDecided || mine.fell) return;
    mine.isDecided = leaseMs() > 0;
    if (relies()) mine.schedule = answer;
    mine.mode = mine.schedule.mode;
    mine.version = answer.version;
    if (mine.left && mine.schedule !== TIMERS) trigger(mine.left);
  };

  const begin = (payment, flow) => {
    if (isStopped) return;
    if (watch?.payment === payment || cleared === payment) return;
    finish();
    watch = { payment, flow, at: env.now(), wall: env.wallNow(), schedule: TIMERS, done: 0, refetches: 0, stale: 0 };
    cleared = null;
    remember(payment, flow);
    listen();
    if (channel.up) watch.subscribedAt = 0;
    watch.wasUp = channel.up;
    follow(watch);
    askForToken(watch);
    if (leaseMs() <= 0) ask();
    else askAgainAt = Math.min(askAgainAt, env.now() + Math.max(1000, answer.valid_for_s * 500));
    openStream();
    trigger('first');
    tick();
  };

  const askForToken = (mine) => {
    if (!options.reportUrl || !options.token) return;
    within(FLAG_MAX_MS, () => (typeof options.token === 'function' ? options.token() : options.token), env).then(
      (token) => (mine.token = token),
    );
  };

  /** Refetch because of something; while one is on its way, once more after it. */
  const trigger = (why) => {
    if (!watch || (watch.cleared && why !== 'timer')) return;
    // The timers' own schedule is three requests: what they are about to do anyway needs no fourth.
    const isTimed = watch.schedule === TIMERS && !watch.fell && watch.done < TIMERS.refetch_after_ms.at(-1);
    if (isTimed && (why === 'push' || why === 'subscribe')) {
      watch.left = why;
      return;
    }
    if (watch.inFlight) {
      watch.next ??= why;
      return;
    }
    run(watch, why);
  };

  const run = async (mine, why) => {
    mine.inFlight = true;
    mine.refetches += 1;
    const isPaid = (await within(REFETCH_MAX_MS, options.refetch, env)) === true;
    mine.inFlight = false;
    if (mine !== watch) return;
    const next = mine.next;
    mine.next = undefined;
    if (isPaid && !mine.cleared) {
      mine.cleared = true;
      cleared = mine.payment;
      mine.clearedBy = why;
      mine.clearedAt = env.now() - mine.at;
      forget();
    } else if (!isPaid && why === 'push') {
      mine.stale += 1;
      if (!mine.isRetried) {
        mine.isRetried = true;
        mine.retryAt = env.now() + STALE_AFTER_MS;
      }
    }
    if (next && !mine.cleared) run(mine, next);
    tick();
  };

  /** Look at the world: what is due, and when is the next look? */
  const tick = () => {
    if (isStopped) return;
    env.clearTimeout(timer);
    if (watch) look(watch);
    tell();
  };

  const look = (mine) => {
    const elapsed = env.now() - mine.at;
    mine.wasUp ||= channel.up;
    follow(mine);
    if (!mine.cleared && mine.schedule !== TIMERS) {
      if (relies()) {
        mine.schedule = answer;
      } else {
        const why = leaseMs() <= 0 && answer.mode !== TIMERS.mode ? 'lease' : 'moved';
        mine.schedule = TIMERS;
        mine.fell = true;
        mine.done = elapsed; // what the timers would have done by now, this refetch does
        trigger(why);
      }
    }
    const due = (ms) => ms > mine.done && ms <= elapsed;
    const { schedule } = mine;
    const mayPoll = !mine.cleared || (schedule === TIMERS && !mine.fell);
    if (mayPoll && schedule.refetch_after_ms.some(due)) trigger('timer');
    if (!mine.cleared && schedule.safety_net_ms !== null && due(schedule.safety_net_ms)) trigger('safety_net');
    if (!mine.cleared && due(LAST_MS)) trigger('last');
    mine.done = Math.max(mine.done, elapsed);
    if (!mine.cleared && mine.retryAt <= env.now()) {
      mine.retryAt = Infinity;
      trigger('push');
    }
    if (elapsed >= LAST_MS && !mine.inFlight) report(mine);
    if (mine !== watch) return;
    if (env.wallNow() - mine.wall >= PENDING_MAX_MS || (mine.cleared && mine.isReported)) {
      finish();
      return;
    }
    if (!mine.cleared && askAgainAt <= env.now() && elapsed < LAST_MS) ask();
    const isWaiting = !mine.cleared;
    const next = [
      ...(mayPoll ? schedule.refetch_after_ms : []),
      ...(isWaiting && schedule.safety_net_ms !== null ? [schedule.safety_net_ms] : []),
      ...(isWaiting && !mine.wasUp ? [CONFIRM_WITHIN_MS] : []),
      LAST_MS,
      PENDING_MAX_MS,
    ]
      .filter((ms) => ms > elapsed)
      .map((ms) => ms - elapsed);
    if (isWaiting && schedule !== TIMERS) next.push(leaseMs());
    if (isWaiting && mine.retryAt !== undefined) next.push(mine.retryAt - env.now());
    if (isWaiting && elapsed < LAST_MS) next.push(askAgainAt - env.now());
    timer = env.setTimeout(tick, Math.max(1, Math.min(...next)));
  };

  /** Tell the sidecar, once per payment, what happened. */
  const report = (mine) => {
    if (mine.isReported) return;
    mine.isReported = true;
    if (!options.reportUrl || typeof mine.token !== 'string') return;
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
      watched_ms: ms(env.now() - mine.at),
    });
    if (!attempt(() => env.sendBeacon(options.reportUrl, body))) {
      attempt(() =>
        env
          .fetch(options.reportUrl, { method: 'POST', body, keepalive: true, credentials: 'omit', mode: 'no-cors' })
          .catch(() => {}),
      );
    }
  };

  /** End what is being watched; tell of it what is worth telling. */
  const finish = () => {
    if (!watch) return;
    const mine = watch;
    if (mine.cleared || env.now() - mine.at >= CONFIRM_WITHIN_MS) report(mine);
    if (env.wallNow() - mine.wall >= PENDING_MAX_MS) forget();
    watch = undefined;
    env.clearTimeout(timer);
    closeStream();
    tell();
  };

  // --- across pages

  const remember = (payment, flow) =>
    attempt(() => env.storage?.setItem(KEY, JSON.stringify({ payment, flow, at: env.wallNow() })));
  const forget = () => attempt(() => env.storage?.removeItem(KEY));
  const remembered = () => {
    const kept = attempt(() => JSON.parse(env.storage?.getItem(KEY)));
    const age = env.wallNow() - kept?.at;
    return typeof kept?.payment === 'string' && age >= 0 && age < PENDING_MAX_MS ? kept : undefined;
  };

  const back = () => {
    if (env.document?.visibilityState === 'hidden') return;
    if (watch) trigger('return');
    tick();
  };
  const away = () => {
    if (watch) report(watch);
  };
  const events = [
    [env.window, 'pageshow', (event) => event?.persisted !== false && back()],
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
      isPush: Boolean(watch ? watch.schedule !== TIMERS : channel.up && answer.mode !== TIMERS.mode && leaseMs() > 0),
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
      remember(payment, 'redirect');
    },
    begin(payment, { flow = 'in_page' } = {}) {
      begin(payment, flow);
    },
    resume(payment) {
      const kept = remembered();
      const known = payment ?? kept?.payment;
      if (known) begin(known, payment ? 'redirect' : (kept.flow ?? 'redirect'));
      else this.prepare();
    },
    pushed() {
      if (!push()) attempt(() => Promise.resolve(options.refetch()).catch(() => {}));
    },
    stop() {
      if (isStopped) return;
      const forgets = watch?.cleared;
      if (watch) finish();
      if (forgets) forget();
      isStopped = true;
      env.clearTimeout(timer);
      closeStream();
      attempt(() => stopListening?.());
      for (const [target, name, act] of events) target?.removeEventListener?.(name, act);
    },
  };
}

/** Make a source of an existing Echo: it tells when the channel is joined, lost or refused, and of its event. */
export function echoSource(echo, channel, event = null, isMine = () => true) {
  return {
    listen({ connected, subscribed, lost, refused, pushed }) {
      const { pusher } = echo.connector;
      const name = `private-${channel}`;
      const wasJoined = Boolean(pusher.channel(name));
      const joined = echo.private(channel);
      const { subscription } = joined;
      const ok = () => subscribed();
      const no = (error) => refused(error?.status ?? 0);
      const state = ({ current }) => (current === 'connected' ? connected?.() : lost());
      const hear = (data) => attempt(() => isMine(data)) && pushed(data);
      subscription.bind('pusher:subscription_succeeded', ok);
      subscription.bind('pusher:subscription_error', no);
      pusher.connection.bind('state_change', state);
      if (event) joined.listen(event, hear);
      if (pusher.connection.state === 'connected') {
        connected?.();
        if (subscription.subscribed) subscribed();
      }
      return () => {
        subscription.unbind('pusher:subscription_succeeded', ok);
        subscription.unbind('pusher:subscription_error', no);
        pusher.connection.unbind('state_change', state);
        if (event) joined.stopListening(event, hear);
        if (!wasJoined) echo.leaveChannel(name);
      };
    },
  };
}
