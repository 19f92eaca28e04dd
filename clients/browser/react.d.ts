import type { Flow, Options, PaymentState } from './payment-refresh.js';

/** The options of `createPaymentRefresh`, and Stripe's `?payment_intent=` where the page has it. */
export interface HookOptions extends Options {
  returned?: string | null;
}

export interface PaymentRefreshHook extends PaymentState {
  begin(payment: string, how?: { flow?: Flow }): void;
  expect(payment: string): void;
  pushed(data?: unknown): void;
}

/** Watch over payments while the component is there. Make `source` once (`useMemo`). */
export function usePaymentRefresh(options: HookOptions): PaymentRefreshHook;
