/** A payment watched over from React: one object per page, made and ended with the component that shows "Pay now". */

import { useCallback, useEffect, useRef, useState } from 'react';
import { createPaymentRefresh } from './payment-refresh.js';

const NOTHING = { pending: null, cleared: false, mode: 'timer_polling', isPush: false };

/**
 * Watch over payments while the component is there. The return page's payment is taken up by itself.
 *
 * `options` are those of `createPaymentRefresh`; `refetch`, `token` and `onChange` may be new functions with every
 * render. `returned` is Stripe's `?payment_intent=` where the page has it.
 */
export function usePaymentRefresh(options) {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const payments = useRef(null);
  const [state, setState] = useState(NOTHING);
  const { flagUrl, reportUrl, streamUrl, targetingKey, source, returned } = options;
  useEffect(() => {
    const made = createPaymentRefresh({
      ...latest.current,
      refetch: () => latest.current.refetch(),
      token: () => {
        const { token } = latest.current;
        return typeof token === 'function' ? token() : token;
      },
      onChange: (next) => {
        setState(next);
        latest.current.onChange?.(next);
      },
    });
    payments.current = made;
    made.resume(returned ?? undefined);
    return () => {
      payments.current = null;
      made.stop();
    };
  }, [flagUrl, reportUrl, streamUrl, targetingKey, source, returned]);
  const begin = useCallback((payment, how) => payments.current?.begin(payment, how), []);
  const expect = useCallback((payment) => payments.current?.expect(payment), []);
  const pushed = useCallback((data) => payments.current?.pushed(data), []);
  return { ...state, begin, expect, pushed };
}
