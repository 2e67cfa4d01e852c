/** Budgets with what is spent and reserved of them. */

import { amountText, money } from './amounts.js';
import { h } from './dom.js';
import { bar, DAY, exactTime, lasting, named } from './format.js';
import { knownNano, percentOf } from './money.js';
import { empty, loadedCard } from './parts.js';

/**
 * Windows that the tiles show, by what a budget's duration says.
 * @type {Record<string, string>}
 */
const UNITS = { '24h': 'day', '1d': 'day', '7d': 'week', '1w': 'week', '1mo': 'month' };
/** @type {Record<string, string>} */
const DURATIONS = { day: 'a day', week: 'a week', month: 'a month' };
const MOST_SHOWN = 6;

/** @typedef {import('./api.js').Owner} Owner */

/**
 * Returns a key's or a team's budget; null if it has none.
 * @param {Owner} owner
 */
export function budgetOf(owner) {
  const most = knownNano(owner.max_budget) ?? knownNano(owner.soft_budget);
  if (most === null) return null;
  return {
    name: (owner.key_alias ?? owner.team_alias) || owner.team_id,
    id: owner.token ?? owner.team_id,
    team: owner.team_id,
    isTeam: owner.key_alias === undefined,
    most,
    hard: owner.max_budget !== null,
    soft: knownNano(owner.soft_budget),
    spent: knownNano(owner.spend),
    reserved: knownNano(owner.reserved) ?? 0n,
    duration: owner.budget_duration,
    unit: UNITS[owner.budget_duration ?? ''] ?? null,
    resets: owner.budget_reset_at ?? null,
  };
}

/** @typedef {NonNullable<ReturnType<typeof budgetOf>>} Budget */

/** @param {string | null} duration */
function durationText(duration) {
  if (!duration) return 'in all';
  return DURATIONS[UNITS[duration]] ?? `every ${duration}`;
}

/**
 * Returns the bar of a budget, and what it says in words.
 * @param {Budget} budget
 */
export function budgetBar(budget) {
  if (budget.spent === null) {
    return h('div', { class: 'budget' }, h('p', {}, money(budget.most), ` ${durationText(budget.duration)}`));
  }
  const percent = percentOf(budget.spent, budget.most);
  const over = budget.spent > budget.most;
  const warned = budget.soft !== null && budget.spent + budget.reserved >= budget.soft;
  const [spent, reserved, most] = [budget.spent, budget.reserved, budget.most].map((each) =>
    amountText(each),
  );
  const label = `${spent} spent and ${reserved} reserved of ${most}`;
  const left = budget.resets ? Date.parse(budget.resets) - Date.now() : 0;
  const resets =
    budget.resets &&
    h(
      'span',
      { title: exactTime(budget.resets) },
      `Resets in ${left > 2 * DAY ? `${Math.floor(left / DAY)} d` : lasting(left)}`,
    );
  return h(
    'div',
    { class: 'budget' },
    bar(
      [
        [percent, over ? 'bad' : warned ? 'warn' : 'run'],
        [percentOf(budget.reserved, budget.most), 'reserved'],
      ],
      label,
    ),
    h(
      'p',
      {},
      h(
        'span',
        {},
        money(budget.spent),
        ' of ',
        money(budget.most),
        ` ${durationText(budget.duration)}${budget.hard ? '' : ', warns only'}`,
      ),
      h(
        'b',
        { class: over ? 'over' : '' },
        `${percent} %`,
        over && [', over by ', money(budget.spent - budget.most)],
        warned && !over && ', above the warning',
      ),
    ),
    (budget.reserved > 0n || resets) &&
      h(
        'p',
        { class: 'muted' },
        h('span', {}, budget.reserved > 0n && [money(budget.reserved), ' reserved']),
        resets,
      ),
  );
}

/**
 * Returns the budgets of owners, the fullest first. A rotated key is there twice for a while; its new secret stands
 * for both.
 * @param {Owner[]} owners
 */
export function budgetsOf(owners) {
  const newest = new Map(
    [...owners]
      .sort((one, other) => (one.created_at < other.created_at ? -1 : 1))
      .map((each) => [each.key_alias === undefined ? each.team_id : `key ${each.key_alias}`, each]),
  );
  return [...newest.values()]
    .map(budgetOf)
    .filter((budget) => budget !== null)
    .sort((one, other) => share(other) - share(one));
}

/** @param {Budget} budget */
function share(budget) {
  return budget.spent === null ? -1 : percentOf(budget.spent + budget.reserved, budget.most);
}

/** @param {{may: import('./rights.js').Rights, from: import('./live.js').Polled<Budget[]>}} props */
export function BudgetsCard({ may, from }) {
  let text = 'Your key and team have no limit of their own.';
  if (may.administer) text = 'Give teams and keys one, and see here how much is left.';
  else if (may.seeOwners) text = 'None of the keys and teams that you see has one.';
  return loadedCard({
    title: 'Budgets',
    note: 'In UTC',
    actions: may.seeOwners && h('a', { href: '#/keys' }, 'Keys & teams'),
    from,
    draw: (budgets) =>
      budgets.length
        ? [
            h(
              'ul',
              { class: 'budgets' },
              budgets
                .slice(0, MOST_SHOWN)
                .map((budget) =>
                  h(
                    'li',
                    { key: budget.id },
                    h(
                      'p',
                      { class: 'name' },
                      named(budget.name),
                      h('small', {}, budget.isTeam ? 'team' : 'key'),
                    ),
                    budgetBar(budget),
                  ),
                ),
            ),
            budgets.length > MOST_SHOWN &&
              h('p', { class: 'help' }, `The fullest ${MOST_SHOWN} of ${budgets.length}.`),
          ]
        : empty('No budgets', text),
  });
}
