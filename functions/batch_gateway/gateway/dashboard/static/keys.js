/** Keys and teams, for the administrator. */

import { everyTeam, get } from './api.js';
import { budgetBar, budgetOf } from './budgets.js';
import { button, fill, h } from './dom.js';
import { age, moment } from './format.js';
import { editBudget, newKey, newTeam, rotate, toggle } from './keydialogs.js';
import { every } from './live.js';
import { card, empty } from './parts.js';

export async function show(root, view) {
  const { signal } = view;
  const filter = view.query.get('team');
  const teams = card('Teams', {
    actions: [button('New team', () => newTeam(() => again()), { symbol: 'plus' })],
  });
  // Until the teams are known, a new key could be in none of them.
  const create = button('New key', () => newKey(known, filter, () => again()), {
    symbol: 'plus',
    kind: 'primary',
    disabled: true,
  });
  const keys = card(filter ? `Keys of ${filter}` : 'Keys', {
    actions: [
      filter && h('a', { href: '#/keys' }, 'All keys'),
      create,
    ].filter(Boolean),
  });
  fill(
    root,
    h('div', { class: 'title' }, h('h1', { tabindex: '-1' }, 'Keys & teams')),
    teams.element,
    keys.element,
  );
  let known = [];

  async function load() {
    const [allTeams, allKeys] = await Promise.all([
      everyTeam(signal),
      everyKey(filter, signal),
    ]);
    known = allTeams;
    create.disabled = false;
    teams.fill(
      allTeams.length
        ? h(
            'ul',
            { class: 'owners' },
            allTeams.map((team) => teamRow(team, again)),
          )
        : empty('No teams yet', 'Keys of a team share its jobs, its costs and its budget.'),
    );
    keys.fill(
      allKeys.length
        ? h(
            'ul',
            { class: 'owners' },
            allKeys.map((key) => keyRow(key, again)),
          )
        : empty('No keys yet', 'Everybody who submits jobs should have one: costs are told apart by it.'),
    );
  }

  const again = every(
    () => 60,
    load,
    signal,
    (error) => {
      teams.failed(error, () => again());
      keys.failed(error, () => again());
    },
  );
}

async function everyKey(team, signal) {
  const found = [];
  let pages = 1;
  for (let page = 1; page <= pages; page += 1) {
    const of = team ? [['team_id', team]] : [];
    const answer = await get('/key/list', [['page', page], ['size', 100], ...of], signal);
    found.push(...answer.keys);
    pages = answer.total_pages;
  }
  return found.filter((key) => !key.expires || Date.parse(key.expires) > Date.now());
}

function teamRow(team, again) {
  const budget = budgetOf(team);
  return h(
    'li',
    { class: team.blocked ? 'off' : '' },
    h(
      'div',
      { class: 'what' },
      h('b', {}, team.team_alias ?? team.team_id),
      h('span', { class: 'muted' }, h('code', {}, team.team_id), ' · since ', moment(team.created_at)),
    ),
    h(
      'div',
      { class: 'left' },
      team.blocked && h('span', { class: 'badge bad' }, 'Disabled'),
      budget ? budgetBar(budget) : h('span', { class: 'help' }, 'No budget'),
    ),
    h(
      'div',
      { class: 'row end' },
      h('a', { class: 'button', href: `#/keys?team=${team.team_id}` }, 'Keys'),
      h('a', { class: 'button', href: `#/overview?team=${team.team_id}` }, 'Spend'),
      button(
        'Budget',
        () =>
          editBudget(team, team.team_alias ?? team.team_id, '/team/update', { team_id: team.team_id }, again),
        { 'aria-label': `Budget of ${team.team_id}` },
      ),
      toggle(team, team.team_id, '/team/update', { team_id: team.team_id }, again),
    ),
  );
}

function keyRow(key, again) {
  const budget = budgetOf(key);
  return h(
    'li',
    { class: key.blocked ? 'off' : '' },
    h(
      'div',
      { class: 'what' },
      h('b', {}, key.key_alias),
      h(
        'span',
        { class: 'muted' },
        h('code', {}, key.key_name),
        key.team_id && ` · ${key.team_id}`,
        ' · ',
        age(key.created_at),
        ' old',
        key.expires && [' · until ', moment(key.expires)],
      ),
      key.models.length > 0 &&
        h(
          'span',
          { class: 'chips' },
          key.models.map((model) => h('span', { class: 'chip' }, model)),
        ),
    ),
    h(
      'div',
      { class: 'left' },
      key.blocked && h('span', { class: 'badge bad' }, 'Disabled'),
      budget ? budgetBar(budget) : h('span', { class: 'help' }, 'No budget of its own'),
    ),
    h(
      'div',
      { class: 'row end' },
      button('Budget', () => editBudget(key, key.key_alias, '/key/update', { key: key.token }, again), {
        'aria-label': `Budget of ${key.key_alias}`,
      }),
      button('Rotate', () => rotate(key, again), { 'aria-label': `Rotate ${key.key_alias}` }),
      toggle(key, key.key_alias, '/key/update', { key: key.token }, again),
    ),
  );
}
