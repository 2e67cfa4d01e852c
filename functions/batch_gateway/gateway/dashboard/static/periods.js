/** Days, weeks and months in UTC, which is what budgets go by. */

import { DAY } from './format.js';

const DAY_NAME = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const LONG_DAY = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  timeZone: 'UTC',
});
const MONTH_NAME = new Intl.DateTimeFormat('en-GB', { month: 'short', year: '2-digit', timeZone: 'UTC' });

export const RANGES = {
  '24h': { text: '24 hours', short: '24 h', width: '1h', limit: 25 },
  '7d': { text: '7 days', short: '7 d', width: '1d', limit: 8 },
  '30d': { text: '30 days', short: '30 d', width: '1d', limit: 31 },
  '90d': { text: '90 days', short: '90 d', width: '1d', limit: 91 },
  '12mo': { text: '12 months', short: '12 mo', width: '1mo', limit: 13 },
};

export function dayOf(now) {
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate());
}

/** Monday's midnight. */
export function weekOf(now) {
  return dayOf(now) - ((now.getUTCDay() + 6) % 7) * DAY;
}

export function monthOf(now, offset = 0) {
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset, 1);
}

/** When a range begins, at the border of a bucket. */
export function startOf(range, now) {
  switch (range) {
    case '24h':
      return Math.floor(now / 3_600_000) * 3_600_000 - 23 * 3_600_000;
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

export function seconds(time) {
  return Math.floor(time / 1000);
}

/** A bucket's name on an axis and in full. */
export function bucketName(bucket, width) {
  const start = new Date(bucket.start_time * 1000);
  if (width === '1mo') return { label: MONTH_NAME.format(start), long: MONTH_NAME.format(start) };
  if (width === '1d') return { label: DAY_NAME.format(start), long: LONG_DAY.format(start) };
  const hour = `${String(start.getUTCHours()).padStart(2, '0')}:00`;
  return { label: hour, long: `${LONG_DAY.format(start)}, ${hour} UTC` };
}
