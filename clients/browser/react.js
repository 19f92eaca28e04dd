'use client';
/** A payment watched over from React: one object per page, made and ended with the component that shows "Pay now". */

import { useEffect, useRef, useState } from 'react';
import { createPaymentRefresh } from './payment-refresh.js';

/** @type {import('./payment-refresh.d.ts').PaymentState} */
const NOTHING = { pending: null, cleared: false, mode: 'timer_polling', isPush: false };

/**
 * Watch over payments while the component is there. The return page's payment is taken up by itself.
 *
 * `options` are those of `createPaymentRefresh`; functions and `source` may be new ones with every render. It begins
 * anew when `flagUrl` or `targetingKey` changes, and when `source` comes that was not there before. `returned` is
 * Stripe's `?payment_intent=` where the page has it.
 *
 * @param {import('./react.d.ts').HookOptions} options
 * @returns {import('./react.d.ts').PaymentRefreshHook}
 */
export function usePaymentRefresh(options) {
  const [state, setState] = useState(NOTHING);
  const payments = useRef(/** @type {import('./payment-refresh.d.ts').PaymentRefresh | null} */ (null));
  const [latest] = useState(() => ({ ...options }));
  useEffect(() => {
    Object.assign(latest, options, {
      /** @param {import('./payment-refresh.d.ts').PaymentState} next */
      onChange: (next) => {
        setState(next);
        options.onChange?.(next);
      },
    });
  });
  const { flagUrl, targetingKey, returned } = options;
  const hasSource = Boolean(options.source);
  useEffect(() => {
    const made = createPaymentRefresh(latest);
    payments.current = made;
    made.resume(latest.returned);
    return () => {
      payments.current = null;
      made.stop();
      setState(NOTHING);
    };
  }, [flagUrl, targetingKey, hasSource]);
  useEffect(() => {
    // A router that takes the payment out of the URL ends nothing.
    if (returned) payments.current?.resume(returned);
  }, [returned]);
  const [acts] = useState(
    /** @returns {Pick<import('./react.d.ts').PaymentRefreshHook, 'begin' | 'expect' | 'pushed'>} */
    () => ({
      begin: (...all) => {
        const act = () => payments.current?.begin(...all);
        if (payments.current) act();
        else queueMicrotask(act); // a child's effects run before ours
      },
      expect: (payment) => payments.current?.expect(payment),
      pushed: (data) => payments.current?.pushed(data),
    }),
  );
  return { ...state, ...acts };
}
