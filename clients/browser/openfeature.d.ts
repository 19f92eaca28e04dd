import type { Mode } from './payment-refresh.js';

/** The fields of OpenFeature's evaluation details that `modeOf` reads. */
export interface Details {
  value?: unknown;
  reason?: string;
  errorCode?: unknown;
}

/** Return the mode of the object flag's evaluation details: `timer_polling` unless its lease is valid by both clocks. */
export function modeOf(details: Details, clocks?: { now?: () => number; wallNow?: () => number }): Mode;
