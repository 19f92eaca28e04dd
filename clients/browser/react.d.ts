import type { Flow, Options, PaymentState, Source } from './payment-refresh.js';

/** The options of `createPaymentRefresh`, and Stripe's `?payment_intent=` of the page. */
export interface HookOptions extends Omit<Options, 'source'> {
  returned?: string | null;
  /** `echoSource(…)`, or null while Echo does not exist yet. */
  source?: Source | null;
}

export interface PaymentRefreshHook extends PaymentState {
  begin(payment: string, how?: { flow?: Flow }): void;
  expect(payment: string): void;
  pushed(data?: unknown): void;
}

/** Watch payments while the component is mounted. */
export function usePaymentRefresh(options: HookOptions): PaymentRefreshHook;
