/** Changes of spend from one period to the next, by group: the first answer to "why did it jump?". */

import { linkTo } from './address.js';
import { amountText, money } from './amounts.js';
import { costs } from './api.js';
import { h } from './dom.js';
import { added, nano, percentOf } from './money.js';
import { empty, loadedCard } from './parts.js';
import { seconds } from './periods.js';
import { filterFor, nameOf, valueOf } from './spend.js';

const MOST_SHOWN = 6;
/** @type {Amount} */
const NOTHING = { amount: 0n, floor: false };

/**
 * @typedef {import('./api.js').Query} Query
 * @typedef {import('./spend.js').Amount} Amount
 * @typedef {{value: string | null, before: Amount, now: Amount}} Change
 */

/**
 * Reads the spend of a range of time and of as much time before it, the largest change first.
 * @param {import('./ranges.js').Range} range
 * @param {string} by
 * @param {Query} filter
 * @param {AbortSignal} signal
 * @returns {Promise<Change[]>}
 */
export async function changesOf(range, by, filter, signal) {
  const now = Date.now();
  const [start, end] = [range.start(now), Math.min(range.end(now) ?? now, now)];
  /**
   * @param {number} from
   * @param {number} until
   */
  const between = (from, until) =>
    costs(
      [
        ['start_time', seconds(from)],
        ['end_time', seconds(until)],
        ['bucket_width', range.width],
        ['limit', range.limit],
        ['group_by', by],
        ...filter,
      ],
      signal,
    );
  const [earlier, later] = await Promise.all([between(start - (end - start), start), between(start, end)]);
  /** @type {Map<string | null, Change>} */
  const changes = new Map();
  const add = (/** @type {'before' | 'now'} */ when, /** @type {import('./api.js').Bucket[]} */ buckets) => {
    for (const result of buckets.flatMap((bucket) => bucket.results)) {
      const value = valueOf(result, by);
      const change = changes.get(value) ?? { value, before: NOTHING, now: NOTHING };
      change[when] = added([change[when], { amount: nano(result.amount.value), floor: result.unpriced }]);
      changes.set(value, change);
    }
  };
  add('before', earlier);
  add('now', later);
  return [...changes.values()].sort((one, other) => (size(one) < size(other) ? 1 : -1));
}

/** @param {Change} change */
function size({ before, now }) {
  return now.amount > before.amount ? now.amount - before.amount : before.amount - now.amount;
}

/**
 * @param {{
 *   from: import('./live.js').Polled<Change[]>, range: import('./ranges.js').Range, by: string, team: string | null,
 * }} props
 */
export function ChangesCard({ from, range, by, team }) {
  return loadedCard({
    title: 'Largest changes',
    note: `Against the ${range.before} before`,
    lines: 5,
    from,
    draw: (changes) =>
      changes.length
        ? [
            h('p', { class: 'change all' }, h('span', {}, 'In all'), figures(inAll(changes))),
            h(
              'ul',
              {},
              changes.slice(0, MOST_SHOWN).map((change) => changed(change, range, by, team)),
            ),
          ]
        : empty('Nothing to compare', 'Neither period has any spend.'),
  });
}

/**
 * @param {Change[]} changes
 * @returns {Change}
 */
function inAll(changes) {
  return {
    value: null,
    before: added(changes.map(({ before }) => before)),
    now: added(changes.map(({ now }) => now)),
  };
}

/**
 * @param {Change} change
 * @param {import('./ranges.js').Range} range
 * @param {string} by
 * @param {string | null} team
 */
function changed(change, range, by, team) {
  const { value } = change;
  const name = nameOf(by, value);
  const link = linkTo('jobs', { team, ...filterFor(by, value), ...range.link, sort: '-amount' });
  return h(
    'li',
    { class: 'change', key: value },
    value === null ? h('span', {}, name) : h('a', { href: link }, name),
    figures(change),
  );
}

/**
 * Returns both amounts of a change, and what is known of the difference.
 * @param {Change} change
 */
function figures(change) {
  const { before, now } = change;
  const text = (/** @type {Amount} */ { amount, floor }) => amountText(amount, { floor });
  return [h('span', { class: 'muted' }, `${text(before)} → ${text(now)}`), ...difference(change)];
}

/**
 * Returns the difference and that in percent; beside a floor, how much it is at least, if that can be said.
 * @param {Change} change
 */
function difference(change) {
  const { before, now } = change;
  const amount = money(size(change));
  const further = (/** @type {string} */ text) => h('span', { class: 'muted' }, text);
  if (!before.floor && !now.floor) {
    const [sign, tone] =
      now.amount > before.amount ? ['+', 'up'] : now.amount < before.amount ? ['−', 'down'] : ['', ''];
    const share =
      before.amount > 0n ? `${sign}${Math.round(percentOf(size(change), before.amount))} %` : 'new';
    return [h('b', { class: tone }, sign, amount), further(share)];
  }
  // What is above a floor only adds to a rise up to it, or to a fall from it.
  if (!before.floor && now.amount > before.amount)
    return [h('b', { class: 'up' }, further('at least '), amount), further('more')];
  if (!now.floor && now.amount < before.amount)
    return [h('b', { class: 'down' }, further('at least '), amount), further('less')];
  return [h('b', { class: 'muted' }, 'not known'), further('')];
}
