/** Today, this week, this month: what was spent, where that leads, and what there is for it. */

import { linkHere } from './address.js';
import { amountText, money } from './amounts.js';
import { h } from './dom.js';
import { forecast, HISTORY, LEAST_HISTORY } from './forecast.js';
import { bar, costSoFar, DAY, several } from './format.js';
import { knownNano, nano, percentOf, sum } from './money.js';
import { dayOf, monthOf, seconds, weekOf } from './periods.js';

/**
 * @typedef {import('./api.js').Bucket} Bucket
 * @typedef {import('./api.js').Job} Job
 * @typedef {import('./budgets.js').Budget} Budget
 * @typedef {{name: string, beforeName: string, before: number, from: number, until: number, unit: string}} Window
 */

/** @returns {Window[]} */
function windows(/** @type {number} */ now) {
  const [day, week, month] = [dayOf(now), weekOf(now), monthOf(now)];
  return [
    { name: 'Today', beforeName: 'Yesterday', before: day - DAY, from: day, until: day + DAY, unit: 'day' },
    {
      name: 'This week',
      beforeName: 'Last week',
      before: week - 7 * DAY,
      from: week,
      until: week + 7 * DAY,
      unit: 'week',
    },
    {
      name: 'This month',
      beforeName: 'Last month',
      before: monthOf(now, -1),
      from: month,
      until: monthOf(now, 1),
      unit: 'month',
    },
  ];
}

/** Returns from when on days are needed, in the API's seconds. */
export function firstDay() {
  const now = Date.now();
  return seconds(Math.min(monthOf(now, -1), weekOf(now) - 7 * DAY, dayOf(now) - HISTORY * DAY));
}

/**
 * @param {{
 *   days: import('./live.js').Polled<Bucket[]>, jobs: Job[] | null, budgets: Budget[] | null,
 *   whose: (unit: string) => Budget[],
 * }} props jobs under way, and budgets, are null until they are known; `whose` gives the budgets that hold for exactly what the tiles show
 */
export function Tiles({ days, jobs, budgets, whose }) {
  if (days.data === null && days.error)
    return h('p', { class: 'problem', role: 'alert' }, days.error.message);
  const now = Date.now();
  return [
    h(
      'div',
      { class: 'tiles' },
      windows(now).map((window) =>
        days.data === null
          ? h(
              'section',
              { class: 'tile', 'aria-busy': 'true', 'aria-label': window.name },
              h('h2', {}, window.name),
              h('p', { class: 'big' }, '…'),
            )
          : tile(window, { now, days: days.data, jobs, budgets, own: whose(window.unit) }),
      ),
    ),
    h(
      'p',
      { class: 'help' },
      `Forecasts add up what is spent, what jobs under way are expected to add, and, for the time that is left, the middle half of the last ${HISTORY} days.`,
    ),
  ];
}

/**
 * @param {Bucket[]} days
 * @param {number} from
 * @param {number} until
 */
function spentIn(days, from, until) {
  const within = days.filter((day) => day.start_time * 1000 >= from && day.start_time * 1000 < until);
  const results = within.flatMap((day) => day.results);
  return {
    amount: sum(results.map((result) => nano(result.amount.value))),
    floor: results.some((result) => result.unpriced),
  };
}

/**
 * Returns the amounts of the last full days, from the first one with spend on.
 * @param {Bucket[]} days
 * @param {number} now
 */
function history(days, now) {
  const today = dayOf(now);
  const amounts = Array.from(
    { length: HISTORY },
    (_, at) => spentIn(days, today - (HISTORY - at) * DAY, today - (HISTORY - at - 1) * DAY).amount,
  );
  const first = amounts.findIndex((amount) => amount > 0n);
  return first < 0 ? [] : amounts.slice(first);
}

/**
 * @param {Window} window
 * @param {{now: number, days: Bucket[], jobs: Job[] | null, budgets: Budget[] | null, own: Budget[]}} known
 */
function tile({ name, beforeName, before, from, until, unit }, { now, days, jobs, budgets, own }) {
  const spent = spentIn(days, from, until);
  const last = spentIn(days, before, from);
  const timeBefore =
    unit === 'day'
      ? { range: 'yesterday', from: null, until: null }
      : { from: seconds(before), until: seconds(from) };
  const coming = sum(
    (jobs ?? [])
      .filter((job) => job.projected !== null && Date.parse(job.createTime) >= from)
      .map((job) => (knownNano(job.projected) ?? 0n) - (costSoFar(job) ?? 0n))
      .filter((amount) => amount > 0n),
  );
  const past = history(days, now);
  const expected = jobs && forecast({ spent: spent.amount, coming, days: past, left: (until - now) / DAY });
  const typical = past.length >= LEAST_HISTORY && sum(past) / BigInt(past.length);
  return h(
    'section',
    { class: 'tile', 'aria-label': name, key: name },
    h('h2', {}, name),
    h('p', { class: 'big' }, money(spent.amount, { floor: spent.floor })),
    h(
      'p',
      { class: 'facts' },
      h(
        'span',
        {},
        h('a', { href: linkHere(timeBefore) }, beforeName),
        ' ',
        h('b', {}, money(last.amount, { floor: last.floor })),
        unit === 'day' && typical !== false && [', ', money(typical), ' on average'],
      ),
      h(
        'span',
        { class: 'muted' },
        expected
          ? `Forecast ${amountText(expected.low, { floor: spent.floor })} to ${amountText(expected.high)}`
          : jobs
            ? 'Too little history for a forecast'
            : 'Forecast …',
      ),
    ),
    own.length === 1 ? against(own[0], unit, expected) : summary(budgets, unit),
  );
}

/**
 * Returns the bar of the one budget that holds for what the tile shows.
 * @param {Budget} budget
 * @param {string} unit
 * @param {{low: bigint, high: bigint} | null} expected
 */
function against(budget, unit, expected) {
  const spent = budget.spent ?? 0n;
  const percent = percentOf(spent, budget.most);
  const over = spent > budget.most;
  const soon = !over && expected !== null && expected.high > budget.most;
  const words = over
    ? ['over by ', money(spent - budget.most)]
    : soon
      ? `likely over by the ${unit}’s end`
      : `${percent} %`;
  return h(
    'div',
    { class: 'against' },
    bar(
      [
        [percent, over ? 'bad' : soon ? 'warn' : 'run'],
        [percentOf(budget.reserved, budget.most), 'reserved'],
      ],
      `${percent} % of the budget spent`,
    ),
    h(
      'p',
      { class: over || soon ? 'over' : 'muted' },
      h('span', {}, money(spent), ' of ', money(budget.most), ` for ${budget.name}`),
      h('b', {}, words),
    ),
  );
}

/**
 * Says how many budgets for such a time there are: one cannot lend to another, so they are not added up.
 * @param {Budget[] | null} budgets
 * @param {string} unit
 */
function summary(budgets, unit) {
  if (budgets === null) return h('p', { class: 'against muted' }, 'Budgets …');
  const fitting = budgets.filter((budget) => budget.unit === unit && budget.spent !== null);
  const over = fitting.filter((budget) => (budget.spent ?? 0n) > budget.most).length;
  if (!fitting.length) return h('p', { class: 'against muted' }, `No budget for the ${unit}`);
  return h(
    'p',
    { class: `against ${over ? 'over' : 'muted'}` },
    over
      ? h(
          'b',
          {},
          `${over} of ${several(fitting.length, 'budget')} for the ${unit} ${over === 1 ? 'is' : 'are'} over`,
        )
      : `${several(fitting.length, 'budget')} for the ${unit}, none is over`,
  );
}
