/** Budgets with what is spent and reserved of them. */

import { everyTeam, get, whoAmI } from './api.js';
import { h } from './dom.js';
import { bar, DAY, exactTime, lasting, money } from './format.js';
import { exactUsd, nano, percentOf, sum } from './money.js';
import { card, empty } from './parts.js';

/** Windows that the tiles show, by what a budget's duration says. */
const UNITS = { '24h': 'day', '1d': 'day', '7d': 'week', '1w': 'week', '1mo': 'month' };
const MOST_SHOWN = 6;

/** A key's or a team's budget; null if it has none. */
export function budgetOf(owner) {
  const most = nano(owner.max_budget) ?? nano(owner.soft_budget);
  if (most === null) return null;
  return {
    name: owner.team_alias ?? owner.key_alias ?? owner.team_id,
    isTeam: owner.key_alias === undefined,
    most,
    hard: owner.max_budget !== null,
    soft: nano(owner.soft_budget),
    spent: nano(owner.spend ?? null),
    reserved: nano(owner.reserved ?? null) ?? 0n,
    duration: owner.budget_duration,
    resets: owner.budget_reset_at ?? null,
  };
}

export function durationText(duration) {
  if (!duration) return 'in all';
  return { day: 'a day', week: 'a week', month: 'a month' }[UNITS[duration]] ?? `every ${duration}`;
}

/** The bar of a budget, and what it says in words. */
export function budgetBar(budget) {
  if (budget.spent === null) {
    return h('div', { class: 'budget' }, h('p', {}, money(budget.most), ` ${durationText(budget.duration)}`));
  }
  const percent = percentOf(budget.spent, budget.most);
  const taken = budget.spent + budget.reserved;
  const tone =
    budget.spent >= budget.most ? 'bad' : budget.soft !== null && taken >= budget.soft ? 'warn' : 'run';
  const label = `${exactUsd(budget.spent)} spent and ${exactUsd(budget.reserved)} reserved of ${exactUsd(budget.most)}`;
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
    { class: 'budget', title: label },
    bar(
      [
        [percent, tone],
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
        'span',
        { class: 'muted' },
        budget.reserved > 0n && [money(budget.reserved), ' reserved'],
        budget.reserved > 0n && resets && ' · ',
        resets,
      ),
    ),
  );
}

/** The card of the overview; it also tells the tiles what budget a window has. */
export function budgetsCard(view, team) {
  const { who, signal } = view;
  const shown = card('Budgets', { actions: who.admin ? [h('a', { href: '#/keys' }, 'Keys & teams')] : [] });
  let budgets = [];

  async function load() {
    const owners = who.admin ? await everyOwner(team, signal) : (await whoAmI(signal)).limits;
    budgets = owners.map(budgetOf).filter(Boolean);
    budgets.sort((one, other) => share(other) - share(one));
    if (!budgets.length) {
      const text = who.admin
        ? 'Give teams and keys one, and see here how much is left.'
        : 'Your key and team have no limit of their own.';
      shown.fill(empty('No budgets', text));
      return;
    }
    shown.fill(
      h(
        'ul',
        { class: 'budgets' },
        budgets
          .slice(0, MOST_SHOWN)
          .map((budget) =>
            h(
              'li',
              {},
              h('p', { class: 'name' }, budget.name, h('small', {}, budget.isTeam ? 'team' : 'key')),
              budgetBar(budget),
            ),
          ),
      ),
      budgets.length > MOST_SHOWN &&
        h('p', { class: 'help' }, `The fullest ${MOST_SHOWN} of ${budgets.length}.`),
    );
  }

  /** The budget for a day, a week or a month: of all teams in sight, or of the key itself if its team has none. */
  function of(unit) {
    const fitting = budgets.filter((budget) => UNITS[budget.duration] === unit && budget.spent !== null);
    const teams = fitting.filter((budget) => budget.isTeam);
    // One key's budget says nothing about what all of them spend.
    const counted = teams.length || who.admin ? teams : fitting;
    if (!counted.length) return null;
    const spent = sum(counted.map((budget) => budget.spent));
    const kind = teams.length ? 'team' : 'key';
    return {
      spent,
      most: sum(counted.map((budget) => budget.most)),
      reserved: sum(counted.map((budget) => budget.reserved)),
      whose: counted.length === 1 ? `for ${counted[0].name}` : `in ${counted.length} ${kind} budgets`,
      pace: (passed) => (spent * 1000n) / BigInt(Math.ceil(passed * 1000)),
    };
  }

  return { ...shown, load, of };
}

function share(budget) {
  return budget.spent === null ? -1 : percentOf(budget.spent + budget.reserved, budget.most);
}

async function everyOwner(team, signal) {
  const of = team ? [['team_id', team]] : [];
  const [teams, keys] = await Promise.all([
    everyTeam(signal),
    get('/key/list', [['size', 100], ...of], signal),
  ]);
  const now = Date.now();
  // A rotated key is there twice for a while; its new secret stands for both.
  const good = keys.keys.filter((each) => !each.expires || Date.parse(each.expires) > now);
  const newest = new Map(
    good
      .sort((one, other) => (one.created_at < other.created_at ? -1 : 1))
      .map((each) => [each.key_alias, each]),
  );
  return [...teams.filter((each) => !team || each.team_id === team), ...newest.values()];
}
