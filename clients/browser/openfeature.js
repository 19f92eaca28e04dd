/** The flag through an OpenFeature SDK: what may still be believed of an evaluation. */

const MODES = ['timer_polling', 'push_with_safety_net', 'push_only'];
const seen = new Map(); // issued_at → when it was first seen, on the monotonic clock

/**
 * Return the mode of the object flag's evaluation details: `timer_polling` unless its lease surely runs.
 *
 * A provider keeps its last value when it loses the sidecar, and starts from what it had kept. So the value says when
 * it was issued, and for how long it is good: by the wall clock and by the monotonic one, whichever says more has passed.
 */
export function modeOf(details, { now = () => performance.now(), wallNow = () => Date.now() } = {}) {
  const value = details?.value;
  const isFresh = !['CACHED', 'STALE', 'ERROR', 'DEFAULT'].includes(details?.reason) && !details?.errorCode;
  if (!isFresh || !MODES.includes(value?.mode) || !(value.valid_for_s > 0)) return MODES[0];
  if (!seen.has(value.issued_at)) {
    if (seen.size > 50) seen.delete(seen.keys().next().value);
    seen.set(value.issued_at, now());
  }
  const ageMs = Math.max(wallNow() - value.issued_at, now() - seen.get(value.issued_at));
  return ageMs < value.valid_for_s * 1000 ? value.mode : MODES[0];
}
