/** A typed app that uses the module: compiled, not run. */

import { createPaymentRefresh, echoSource, type PaymentState, type Source } from '../payment-refresh.js';
import { modeOf } from '../openfeature.js';
import { usePaymentRefresh } from '../react.js';

declare const echo: { connector: unknown; private(channel: string): unknown; leaveChannel(channel: string): void };

const source: Source = echoSource(echo, 'live-refresh.7', 'LiveRefreshContextsUpdated', (data) =>
  data.contexts?.includes('bookings'),
);
echoSource(() => echo, 'live-refresh.7');
const own: Source = { listen: ({ pushed }) => Object.assign(() => pushed(), { check: () => undefined }) };
const payments = createPaymentRefresh({
  flagUrl: 'https://sidecar.example.test/flags/payment-refresh',
  source,
  refetch: async (payment: string | null) => payment === 'pi_1',
  onChange: (state: PaymentState) => void state.pending,
});
payments.begin('pi_1', { flow: 'in_page' });
payments.resume();
payments.resume(new URLSearchParams('').get('payment_intent'));
// @ts-expect-error a flow is one of two
payments.begin('pi_1', { flow: 'by_mail' });
// @ts-expect-error `refetch` is required
createPaymentRefresh({ flagUrl: 'x', source });
createPaymentRefresh({ flagUrl: 'x', refetch: async (payment) => payment === 'pi_1', token: async () => 'a.b.c' }).stop();

export function useDashboard(): string | null {
  const { pending, begin } = usePaymentRefresh({ flagUrl: 'x', source, refetch: () => false, returned: null, token: null });
  begin('pi_1');
  return pending;
}

export const isPush: boolean = modeOf({ value: {}, reason: 'STATIC' }) === 'push_only';
