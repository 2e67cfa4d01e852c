/** Cost by model, team, key or label: the most expensive ones. */

import { linkTo } from './address.js';
import { money } from './amounts.js';
import { h } from './dom.js';
import { bar, whole } from './format.js';
import { groupName, GroupPicker } from './groups.js';
import { nano, percentOf, shareOf, sum } from './money.js';
import { empty, loadedCard } from './parts.js';
import { filterFor, nameOf, valueOf } from './spend.js';

const MOST_SHOWN = 8;

/** @typedef {import('./api.js').Bucket} Bucket */

/**
 * @param {Bucket[]} buckets
 * @param {string} by
 */
function totals(buckets, by) {
  /** @type {Map<string | null, {amount: bigint, floor: boolean}>} */
  const groups = new Map();
  for (const result of buckets.flatMap((bucket) => bucket.results)) {
    const value = valueOf(result, by);
    const group = groups.get(value) ?? { amount: 0n, floor: false };
    group.amount += nano(result.amount.value);
    group.floor ||= result.unpriced;
    groups.set(value, group);
  }
  return [...groups].sort(([, one], [, other]) => (one.amount < other.amount ? 1 : -1));
}

/**
 * @param {{
 *   from: import('./live.js').Polled<Bucket[]>, range: import('./ranges.js').Range, by: string, team: string | null,
 * }} props
 */
export function RankingCard({ from, range, by, team }) {
  return loadedCard({
    title: `Cost by ${groupName(by)}`,
    note: range.text,
    actions: h(GroupPicker, { by, parameter: 'top', text: 'Ranked by' }),
    lines: 4,
    from,
    draw: (buckets) => {
      const groups = totals(buckets, by);
      if (!groups.length) return empty('Nothing spent', 'No job has cost anything in this time.');
      const total = sum(groups.map(([, { amount }]) => amount));
      const rest = groups.slice(MOST_SHOWN).map(([, group]) => group);
      const others = sum(rest.map(({ amount }) => amount));
      return [
        h(
          'ol',
          { class: 'ranking' },
          groups.slice(0, MOST_SHOWN).map(([value, { amount, floor }]) =>
            h(
              'li',
              { key: value },
              value === null
                ? h('span', {}, nameOf(by, value))
                : h(
                    'a',
                    {
                      href: linkTo('jobs', { ...filterFor(by, value), team, ...range.link, sort: '-amount' }),
                      title: value,
                    },
                    value,
                  ),
              money(amount, { floor }),
              bar(
                [[percentOf(amount, groups[0][1].amount), 'part']],
                `${shareOf(amount, total)} % of the cost`,
              ),
              h('span', { class: 'muted' }, `${shareOf(amount, total).toFixed(1)} %`),
            ),
          ),
        ),
        rest.length > 0 &&
          h(
            'p',
            { class: 'help' },
            `${whole(rest.length)} more: `,
            money(others, { floor: rest.some(({ floor }) => floor) }),
          ),
      ];
    },
  });
}
