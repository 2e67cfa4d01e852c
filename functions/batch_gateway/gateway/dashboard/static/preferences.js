/** Preferences: amounts with all digits or without, times in UTC or in the zone of the browser. */

import { useEffect, useReducer } from './hooks.module.js';

const HELD = { exact: 'batch-gateway-exact', local: 'batch-gateway-local-time' };
const QUARTER = 15;
const MINUTE = 60_000;

/** @param {'exact' | 'local'} name */
function held(name) {
  try {
    return localStorage.getItem(HELD[name]) === 'yes';
  } catch {
    return false;
  }
}

/** @type {Record<'exact' | 'local', boolean>} */
const chosen = { exact: held('exact'), local: held('local') };
/** @type {Set<() => void>} */
const listeners = new Set();

/** Returns whether amounts are shown with all their digits. */
export function isExact() {
  return chosen.exact;
}

/** Returns whether times are shown in the zone of this browser. */
export function isLocal() {
  return chosen.local;
}

/** @param {'exact' | 'local'} name */
export function toggle(name) {
  chosen[name] = !chosen[name];
  try {
    localStorage.setItem(HELD[name], chosen[name] ? 'yes' : 'no');
  } catch {
    // It lasts until the page is reloaded.
  }
  for (const listener of listeners) listener();
}

/** Draws a component anew when a preference changes. */
export function usePreferences() {
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  useEffect(() => {
    const listener = () => redraw(null);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, []);
}

/** Returns how far the zone of this browser is ahead of UTC at present, in minutes, in quarters of an hour. */
function here() {
  return Math.round(-new Date().getTimezoneOffset() / QUARTER) * QUARTER;
}

/** Returns how far the times on the page are ahead of UTC, in milliseconds: the same for all of them. */
export function offset() {
  return chosen.local ? here() * MINUTE : 0;
}

/** Returns that offset as the API's `time_zone` parameter: "Z", "+05:30". */
export function zoneParameter() {
  const minutes = offset() / MINUTE;
  if (minutes === 0) return 'Z';
  const two = (/** @type {number} */ number) => String(Math.floor(number)).padStart(2, '0');
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(size / 60)}:${two(size % 60)}`;
}

/** Returns the name of the zone that times are in: "UTC", "UTC+05:30". */
export function zoneName() {
  const parameter = zoneParameter();
  return parameter === 'Z' ? 'UTC' : `UTC${parameter}`;
}

/**
 * Returns a date whose UTC fields read as the time in that zone.
 * @param {number} time
 */
export function shifted(time) {
  return new Date(time + offset());
}
