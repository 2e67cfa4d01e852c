/** The time that the overview is about: a range up to now, yesterday, or certain days. It stands in the address. */

import { go } from './address.js';
import { DateField } from './datefield.js';
import { h } from './dom.js';
import { DAY } from './format.js';
import { dayNames, dayOf, endOf, RANGES, seconds, startOf } from './periods.js';
import { offset, shifted } from './preferences.js';

const USUAL = '30d';
const HOUR = DAY / 24;
/** Before 2000 in every zone, so before any spend; late enough that there is as much time before it in the API. */
const EARLIEST = Date.UTC(1999, 11, 31);
/** Spend is kept by quarters of an hour. */
const QUARTER = HOUR / 4;
/** Bars of an hour are for so many days, those of a day for so many. */
const MOST_BY_HOUR = 2 * DAY;
const MOST_BY_DAY = 100 * DAY;

/**
 * @typedef {import('./api.js').Query} Query
 * @typedef {{
 *   key: string, name: string, text: string, before: string, width: string, limit: number,
 *   start: (now: number) => number, end: (now: number) => number | null, link: import('./address.js').Changes,
 * }} Range `key` differs where the time does; `name` is the one in RANGES, or "dates"; `before` names the time that it
 *   is compared with; `width` and `limit` are those of the buckets of a chart; `end` is null if that is now; `link` are
 *   the parameters of the same time in the list of jobs
 */

/**
 * Returns the range that the address names, 30 days if it names none.
 * @param {URLSearchParams} query
 * @returns {Range}
 */
export function rangeOf(query) {
  const dates = datesOf(query, Date.now());
  if (dates) return dates;
  const asked = query.get('range') ?? '';
  const name = Object.hasOwn(RANGES, asked) ? asked : USUAL;
  const { text, width, limit } = RANGES[name];
  return {
    key: name,
    name,
    text,
    before: name === 'yesterday' ? 'day' : text,
    width,
    limit,
    start: (now) => startOf(name, now),
    end: (now) => endOf(name, now),
    link: { since: name },
  };
}

/**
 * Returns the days that the address names by their first and last moment; null if it names none.
 * @param {URLSearchParams} query
 * @param {number} now
 * @returns {Range | null}
 */
function datesOf(query, now) {
  const [first, last] = ['from', 'until'].map((name) => (Number(query.get(name) ?? NaN) * 1000) / QUARTER);
  const from = Math.floor(first) * QUARTER;
  // What is to come has no spend.
  const end = Math.min(Math.ceil(last) * QUARTER, dayOf(now) + DAY);
  if (!(from >= EARLIEST && from < end)) return null;
  const days = Math.ceil((end - from) / DAY);
  const width = end - from <= MOST_BY_HOUR ? '1h' : end - from <= MOST_BY_DAY ? '1d' : '1mo';
  const link = { from: seconds(from), until: seconds(end) };
  return {
    key: `${link.from}-${link.until}`,
    name: 'dates',
    text: between(from, end),
    before: days === 1 ? 'day' : `${days} days`,
    width,
    limit: width === '1h' ? MOST_BY_HOUR / HOUR + 1 : width === '1d' ? days + 1 : 120,
    start: () => from,
    end: () => end,
    link,
  };
}

/**
 * Returns the names of the first and the last day, with the time of day where one is not whole.
 * @param {number} from
 * @param {number} until
 */
function between(from, until) {
  const whole = from === dayOf(from) && until === dayOf(until);
  const times = [from, whole ? until - DAY : until];
  const [first, last] = dayNames(...times).map(
    (name, at) => `${name}${whole ? '' : ` ${shifted(times[at]).toISOString().slice(11, 16)}`}`,
  );
  return first === last ? first : `${first} to ${last}`;
}

/**
 * Returns the API's parameters for a range.
 * @param {Range} range
 * @returns {Query}
 */
export function within(range) {
  const now = Date.now();
  const end = range.end(now);
  /** @type {Query} */
  const until = end === null ? [] : [['end_time', seconds(end)]];
  return [['start_time', seconds(range.start(now))], ...until];
}

/**
 * Shows the ranges to choose from, and the days if some are chosen.
 * @param {{range: Range}} props
 */
export function RangePicker({ range }) {
  const choice = (/** @type {string} */ text, /** @type {string} */ name, /** @type {() => void} */ choose) =>
    h(
      'button',
      { key: name, type: 'button', 'aria-pressed': String(name === range.name), onclick: choose },
      text,
    );
  const named = Object.entries(RANGES).map(([name, { short }]) =>
    choice(short, name, () => go({ range: name, from: null, until: null })),
  );
  // The days that are in sight are the ones to begin with.
  const dates = () => {
    const now = Date.now();
    const [from, end] = [dayOf(range.start(now)), range.end(now) ?? dayOf(now) + DAY];
    go({ range: null, from: seconds(from), until: seconds(end) });
  };
  return [
    h(
      'div',
      { class: 'segments', role: 'group', 'aria-label': 'Range' },
      named,
      choice('Dates', 'dates', dates),
    ),
    range.name === 'dates' && h(Days, { range }),
  ];
}

/**
 * Shows the first and the last day of a range as fields.
 * @param {{range: Range}} props
 */
function Days({ range }) {
  const now = Date.now();
  const from = range.start(now);
  const last = /** @type {number} */ (range.end(now)) - 1;
  const date = (/** @type {number} */ time) => shifted(time).toISOString().slice(0, 10);
  /**
   * @param {string} label
   * @param {number} time
   * @param {(chosen: number) => number[]} days the first moments of the first and the last day
   */
  const field = (label, time, days) =>
    h(DateField, {
      type: 'date',
      'aria-label': label,
      required: true,
      max: date(now),
      value: date(time),
      chosen: (value) => {
        // Midnight in the page's zone.
        const [first, end] = days(Date.parse(`${value}T00:00Z`) - offset());
        go({ from: seconds(first), until: seconds(end + DAY) });
      },
    });
  return h(
    'div',
    { class: 'row days', role: 'group', 'aria-label': 'Days' },
    field('First day', from, (first) => [first, Math.max(first, dayOf(last))]),
    h('span', { class: 'muted', 'aria-hidden': 'true' }, '–'),
    field('Last day', last, (end) => [Math.min(end, dayOf(from)), end]),
  );
}
