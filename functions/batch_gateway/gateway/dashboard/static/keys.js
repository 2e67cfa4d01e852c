/** Keys and teams, for the administrator. */

import { linkTo } from './address.js';
import { everyKey, everyTeam } from './api.js';
import { budgetBar, budgetOf } from './budgets.js';
import { button, h } from './dom.js';
import { age, moment, named } from './format.js';
import { disable, editBudget, enable, newKey, newTeam, rotate } from './keydialogs.js';
import { usePolled } from './live.js';
import { empty, loadedCard } from './parts.js';

/** @typedef {import('./api.js').Owner} Owner */

/** @param {import('./main.js').View} view */
export function Keys({ query }) {
  const filter = query.get('team');
  const teams = usePolled(() => 60, everyTeam, []);
  const keys = usePolled(
    () => 60,
    (signal) => everyKey(filter, signal),
    [filter],
  );
  const again = () => {
    teams.again();
    keys.again();
  };
  return [
    h('div', { class: 'title' }, h('h1', { tabindex: -1 }, 'Keys & teams')),
    loadedCard({
      title: 'Teams',
      actions: button('New team', () => newTeam(again), { symbol: 'plus' }),
      from: teams,
      draw: (found) =>
        found.length
          ? h(
              'ul',
              { class: 'owners' },
              found.map((team) => ownerRow(team, again)),
            )
          : empty('No teams yet', 'Keys of a team share its jobs, its costs and its budget.'),
    }),
    loadedCard({
      title: filter ? `Keys of ${filter}` : 'Keys',
      actions: [
        filter && h('a', { href: '#/keys' }, 'All keys'),
        button('New key', () => newKey(teams.data ?? [], filter, again), { symbol: 'plus', kind: 'primary' }),
      ],
      from: keys,
      draw: (found) =>
        found.length
          ? h(
              'ul',
              { class: 'owners' },
              found.map((key) => ownerRow(key, again)),
            )
          : empty('No keys yet', 'Everybody who submits jobs should have one: costs are told apart by it.'),
    }),
  ];
}

/**
 * Returns the row of a team, or of a key.
 * @param {Owner} owner
 * @param {() => void} again
 */
function ownerRow(owner, again) {
  const isKey = owner.key_alias !== undefined;
  const name = owner.key_alias ?? owner.team_id;
  const path = isKey ? '/key/update' : '/team/update';
  const body = isKey ? { key: owner.token } : { team_id: owner.team_id };
  const budget = budgetOf(owner);
  return h(
    'li',
    { class: owner.blocked ? 'off' : '', key: owner.token ?? owner.team_id },
    h('div', { class: 'what' }, isKey ? aboutKey(owner) : aboutTeam(owner)),
    h(
      'div',
      { class: 'left' },
      owner.blocked && h('span', { class: 'badge bad' }, 'Disabled'),
      budget ? budgetBar(budget) : h('span', { class: 'help' }, isKey ? 'No budget of its own' : 'No budget'),
    ),
    h(
      'div',
      { class: 'row end' },
      isKey
        ? link('Jobs', linkTo('jobs', { key: name }), `Jobs of ${name}`)
        : [
            link('Keys', linkTo('keys', { team: name }), `Keys of ${name}`),
            link('Spend', linkTo('overview', { team: name }), `Spend of ${name}`),
          ],
      button('Budget', () => editBudget(owner, owner.team_alias || name, path, body, again), {
        'aria-label': `Budget of ${name}`,
      }),
      isKey && button('Rotate', () => rotate(owner, again), { 'aria-label': `Rotate ${name}` }),
      owner.blocked
        ? button('Enable', () => enable(name, path, body, again), { 'aria-label': `Enable ${name}` })
        : button('Disable', () => disable(name, path, body, again), {
            kind: 'danger',
            'aria-label': `Disable ${name}`,
          }),
    ),
  );
}

/**
 * @param {string} text
 * @param {string} href
 * @param {string} label
 */
function link(text, href, label) {
  return h('a', { class: 'button', href, 'aria-label': label }, text);
}

/** @param {Owner} team */
function aboutTeam(team) {
  return [
    h('b', {}, named(team.team_alias || team.team_id)),
    h('span', { class: 'muted' }, h('code', {}, team.team_id), ' · since ', moment(team.created_at)),
  ];
}

/** @param {Owner} key */
function aboutKey(key) {
  const models = key.models ?? [];
  return [
    h('b', {}, named(key.key_alias ?? '')),
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
    models.length > 0 &&
      h(
        'span',
        { class: 'chips' },
        models.map((model) => h('span', { class: 'chip', key: model }, model)),
      ),
  ];
}
