/** Today, this week, this month: what was spent, where that leads, and what there is for it. */

import { costs } from './api.js';
import { fill, h } from './dom.js';
import { bar, DAY, money } from './format.js';
import { exactUsd, nano, percentOf, shortUsd, sum } from './money.js';
import { dayOf, monthOf, seconds, weekOf } from './periods.js';

export function waiting(name) {
  return h(
    'section',
    { class: 'tile', 'aria-busy': 'true' },
    h('h2', {}, name),
    h('p', { class: 'big' }, '…'),
  );
}

export async function showTiles(tiles, filter, budgets, signal) {
  const now = new Date();
  const start = Math.min(monthOf(now, -1), weekOf(now) - 7 * DAY);
  const [days] = await Promise.all([
    costs([['start_time', seconds(start)], ['bucket_width', '1d'], ['limit', 100], ...filter], signal),
    budgets.load(),
  ]);
  const between = (from, until) =>
    sum(
      days
        .filter((day) => day.start_time * 1000 >= from && day.start_time * 1000 < until)
        .flatMap((day) => day.results.map((result) => nano(result.amount.value))),
    );
  const unpriced = (from) =>
    days.some((day) => day.start_time * 1000 >= from && day.results.some((result) => result.unpriced));
  const windows = [
    ['Today', 'Yesterday', dayOf(now) - DAY, dayOf(now), dayOf(now) + DAY, 'day'],
    ['This week', 'Last week', weekOf(now) - 7 * DAY, weekOf(now), weekOf(now) + 7 * DAY, 'week'],
    ['This month', 'Last month', monthOf(now, -1), monthOf(now), monthOf(now, 1), 'month'],
  ];
  fill(
    tiles,
    windows.map(([name, beforeName, before, from, until, unit]) =>
      tile(name, unit, {
        spent: between(from, until),
        floor: unpriced(from),
        before: [beforeName, between(before, from)],
        passed: (now - from) / (until - from),
        budget: budgets.of(unit),
      }),
    ),
  );
}

/** One window: what was spent, where that leads at this pace, and what there is for it. */
function tile(name, unit, { spent, floor, before, passed, budget }) {
  // In thousandths, so that the projection stays whole; before a twentieth has passed it would be a guess.
  const pace = passed >= 0.05 ? (spent * 1000n) / BigInt(Math.ceil(passed * 1000)) : null;
  const over = budget && pace !== null && budget.pace(passed) > budget.most;
  return h(
    'section',
    { class: 'tile', 'aria-label': name },
    h('h2', { title: 'Days in UTC, as budgets have them' }, name),
    h('p', { class: 'big' }, money(spent, { floor })),
    h(
      'p',
      { class: 'facts' },
      h(
        'span',
        {
          title:
            pace === null
              ? 'Known once a twentieth of it has passed'
              : `At the pace so far: ${exactUsd(pace)} at its end`,
        },
        pace === null ? 'Too early to project' : [h('b', {}, shortUsd(pace)), ` by the ${unit}’s end`],
      ),
      h('span', { class: 'muted' }, `${before[0]} `, money(before[1])),
    ),
    budget
      ? h(
          'div',
          { class: 'against' },
          bar(
            [
              [
                percentOf(budget.spent, budget.most),
                budget.spent > budget.most ? 'bad' : over ? 'warn' : 'run',
              ],
              [percentOf(budget.reserved, budget.most), 'reserved'],
            ],
            `${percentOf(budget.spent, budget.most)} % of the budget spent`,
          ),
          h(
            'p',
            { class: over ? 'over' : 'muted' },
            h('span', {}, money(budget.spent), ' of ', money(budget.most), ` ${budget.whose}`),
            over
              ? h('b', {}, 'over at this pace')
              : h('span', {}, `${percentOf(budget.spent, budget.most)} %`),
          ),
        )
      : h('p', { class: 'against muted' }, `No budget for the ${unit}`),
  );
}
