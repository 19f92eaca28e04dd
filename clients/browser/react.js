'use client';
/** A payment watched from React: one object per page, created and stopped with the component that shows "Pay now". */

import { useEffect, useRef, useState } from 'react';
import { createPaymentRefresh } from './payment-refresh.js';

/** @type {import('./payment-refresh.d.ts').PaymentState} */
const NOTHING = { pending: null, cleared: false, mode: 'timer_polling', isPush: false };

/**
 * Watch payments while the component is mounted. The hook resumes the return page's payment.
 *
 * `options` are those of `createPaymentRefresh`; functions and `source` may change with every render. The hook starts
 * again when `flagUrl` or `targetingKey` changes, and when `source` is first set. `returned` is Stripe's
 * `?payment_intent=` of the page.
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
    // A router that removes the payment from the URL does not end the watch.
    if (returned) payments.current?.resume(returned);
  }, [returned]);
  const [actions] = useState(
    /** @returns {Pick<import('./react.d.ts').PaymentRefreshHook, 'begin' | 'expect' | 'pushed'>} */
    () => ({
      begin: (...all) => {
        const act = () => payments.current?.begin(...all);
        if (payments.current) act();
        else queueMicrotask(act); // a child's effects run before this hook's
      },
      expect: (payment) => payments.current?.expect(payment),
      pushed: (data) => payments.current?.pushed(data),
    }),
  );
  return { ...state, ...actions };
}
