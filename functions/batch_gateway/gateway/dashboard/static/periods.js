/** Days, weeks and months in the page's time zone: UTC, which is what budgets go by, or the browser's. */

import { DAY } from './format.js';
import { offset, shifted, zoneName } from './preferences.js';

const DAY_NAME = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const DAY_OF_YEAR_NAME = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  timeZone: 'UTC',
});
const LONG_DAY = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  timeZone: 'UTC',
});
const MONTH_NAME = new Intl.DateTimeFormat('en-GB', { month: 'short', year: '2-digit', timeZone: 'UTC' });

/** @type {Record<string, {text: string, short: string, width: string, limit: number}>} */
export const RANGES = {
  yesterday: { text: 'Yesterday', short: 'Yesterday', width: '1h', limit: 24 },
  '24h': { text: '24 hours', short: '24 h', width: '1h', limit: 25 },
  '7d': { text: '7 days', short: '7 d', width: '1d', limit: 8 },
  '30d': { text: '30 days', short: '30 d', width: '1d', limit: 31 },
  '90d': { text: '90 days', short: '90 d', width: '1d', limit: 91 },
  '12mo': { text: '12 months', short: '12 mo', width: '1mo', limit: 13 },
};

/**
 * Returns the names of days: "27 Nov", all with their years if one is not in this year.
 * @param {number[]} times
 */
export function dayNames(...times) {
  const days = times.map(shifted);
  const year = shifted(Date.now()).getUTCFullYear();
  const name = days.every((day) => day.getUTCFullYear() === year) ? DAY_NAME : DAY_OF_YEAR_NAME;
  return days.map((day) => name.format(day));
}

/**
 * Returns when a day began.
 * @param {number} now
 */
export function dayOf(now) {
  return Math.floor((now + offset()) / DAY) * DAY - offset();
}

/**
 * Returns Monday's midnight.
 * @param {number} now
 */
export function weekOf(now) {
  return dayOf(now) - ((shifted(now).getUTCDay() + 6) % 7) * DAY;
}

/**
 * @param {number} now
 * @param {number} further months later
 */
export function monthOf(now, further = 0) {
  const here = shifted(now);
  return Date.UTC(here.getUTCFullYear(), here.getUTCMonth() + further, 1) - offset();
}

/**
 * Returns when a range begins, at the border of a bucket.
 * @param {string} range
 * @param {number} now
 */
export function startOf(range, now) {
  switch (range) {
    case 'yesterday':
      return dayOf(now) - DAY;
    case '24h':
      return Math.floor((now + offset()) / 3_600_000) * 3_600_000 - offset() - 23 * 3_600_000;
    case '7d':
      return dayOf(now) - 6 * DAY;
    case '30d':
      return dayOf(now) - 29 * DAY;
    case '90d':
      return dayOf(now) - 89 * DAY;
    default:
      return monthOf(now, -11);
  }
}

/**
 * Returns when a range ends; null if that is now.
 * @param {string} range
 * @param {number} now
 */
export function endOf(range, now) {
  return range === 'yesterday' ? dayOf(now) : null;
}

/** @param {number} time */
export function seconds(time) {
  return String(Math.floor(time / 1000));
}

/**
 * Returns a bucket's name on an axis and in full.
 * @param {{start_time: number}} bucket
 * @param {string} width
 */
export function bucketName(bucket, width) {
  const start = shifted(bucket.start_time * 1000);
  if (width === '1mo') return { label: MONTH_NAME.format(start), long: MONTH_NAME.format(start) };
  if (width === '1d') return { label: DAY_NAME.format(start), long: LONG_DAY.format(start) };
  const hour = `${String(start.getUTCHours()).padStart(2, '0')}:${String(start.getUTCMinutes()).padStart(2, '0')}`;
  return { label: hour, long: `${LONG_DAY.format(start)}, ${hour} ${zoneName()}` };
}
