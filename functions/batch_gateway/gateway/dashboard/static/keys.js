/** Keys and teams, as far as a key may see them; buttons for whoever may change them. */

import { linkTo } from './address.js';
import { money } from './amounts.js';
import { costs, everyKey, everyTeam } from './api.js';
import { budgetBar, budgetOf } from './budgets.js';
import { button, h, select } from './dom.js';
import { age, moment, named } from './format.js';
import { useState } from './hooks.module.js';
import { deleteKey, disable, editBudget, editKey, enable, newKey, ownerOf, rotate } from './keydialogs.js';
import { labelsText } from './labels.js';
import { usePolled } from './live.js';
import { nano } from './money.js';
import { dayNames, RANGES, seconds, startOf } from './periods.js';
import { zoneParameter } from './preferences.js';
import { empty, loadedCard, say } from './parts.js';
import { deleteTeam, editTeam, newTeam } from './teamdialogs.js';

/** @typedef {import('./api.js').Owner} Owner */

/**
 * @typedef {{amount: bigint, floor: boolean, last: number}} Use spend of a while, and when it last had any
 * @typedef {(owner: Owner) => Use | null} UseOf
 */

const LOOKBACK = '30d';
const SORTS = [
  ['name', 'By name'],
  ['spend', 'By spend'],
];

/** @param {import('./main.js').View} view */
export function Keys({ who: { may }, query }) {
  const filter = query.get('team');
  const zone = zoneParameter();
  const [search, setSearch] = useState('');
  const [sort, setSort] = useState('name');
  const teams = usePolled(() => 60, everyTeam, []);
  const keys = usePolled(
    () => 60,
    (signal) => everyKey(filter, signal),
    [filter],
  );
  const use = usePolled(
    () => 300,
    (signal) => usesOf(zone, signal),
    [zone],
  );
  const again = () => {
    teams.again();
    keys.again();
  };
  /** @type {UseOf} */
  const useOf = (owner) => use.data?.get(nameOf(owner)) ?? null;
  const fits = (/** @type {Owner} */ owner) =>
    [owner.key_alias, owner.key_name, owner.team_id, owner.team_alias, ownerOf(owner)].some((text) =>
      text?.toLowerCase().includes(search.toLowerCase()),
    );
  const spent = (/** @type {Owner} */ owner) => useOf(owner)?.amount ?? 0n;
  /** @param {Owner} owner */
  const changes = (owner) =>
    owner.key_alias === undefined ? teamButtons(owner, again) : keyButtons(owner, teams.data, again);
  /** @param {Owner[]} owners */
  const rows = (owners) => {
    const shown = owners.filter(fits);
    if (sort === 'spend') shown.sort((one, other) => (spent(one) < spent(other) ? 1 : -1));
    return shown.length
      ? h(
          'ul',
          { class: 'owners' },
          shown.map((owner) => ownerRow(owner, useOf(owner), may.administer && changes(owner))),
        )
      : empty('Nothing fits', 'Search for a name, an owner, a team or the end of a secret.');
  };
  return [
    h(
      'div',
      { class: 'title' },
      h('h1', { tabindex: -1 }, 'Keys & teams'),
      h('span', { class: 'grow' }),
      h('input', {
        type: 'search',
        'aria-label': 'Search',
        placeholder: 'Search …',
        oninput: (/** @type {any} */ event) => setSearch(event.target.value.trim()),
      }),
      select(SORTS, sort, {
        'aria-label': 'Order',
        onchange: (/** @type {any} */ event) => setSort(event.target.value),
      }),
    ),
    loadedCard({
      title: 'Teams',
      actions: may.administer && button('New team', () => newTeam(again), { symbol: 'plus' }),
      from: teams,
      draw: (found) =>
        found.length
          ? rows(found)
          : empty('No teams yet', 'Keys of a team share its jobs, its costs and its budget.'),
    }),
    loadedCard({
      title: filter ? `Keys of ${filter}` : 'Keys',
      actions: [
        filter && h('a', { href: '#/keys' }, 'All keys'),
        // Until the teams are known, a new key could be in none of them.
        may.administer &&
          button('New key', () => newKey(teams.data ?? [], filter, again), {
            symbol: 'plus',
            kind: 'primary',
            disabled: !teams.data,
          }),
      ],
      from: keys,
      draw: (found) =>
        found.length
          ? rows(found)
          : empty('No keys yet', 'Everybody who submits jobs should have one: costs are told apart by it.'),
    }),
  ];
}

/** @param {Owner} owner */
function nameOf(owner) {
  return owner.key_alias === undefined ? `team ${owner.team_id}` : `key ${owner.key_alias}`;
}

/**
 * Reads what each key and team has spent lately, by what `nameOf` calls it.
 * @param {string} zone
 * @param {AbortSignal} signal
 */
async function usesOf(zone, signal) {
  const { width, limit } = RANGES[LOOKBACK];
  const buckets = await costs(
    [
      ['start_time', seconds(startOf(LOOKBACK, Date.now()))],
      ['bucket_width', width],
      ['limit', limit],
      ['time_zone', zone],
      ['group_by', 'team,api_key'],
    ],
    signal,
  );
  /** @type {Map<string, Use>} */
  const uses = new Map();
  for (const bucket of buckets) {
    for (const { amount, unpriced, team, api_key } of bucket.results) {
      for (const name of [team && `team ${team}`, api_key && `key ${api_key}`]) {
        if (!name) continue;
        const use = uses.get(name) ?? { amount: 0n, floor: false, last: 0 };
        use.amount += nano(amount.value);
        use.floor ||= unpriced;
        use.last = bucket.start_time * 1000;
        uses.set(name, use);
      }
    }
  }
  return uses;
}

/**
 * Returns the row of a team, or of a key.
 * @param {Owner} owner
 * @param {Use | null} use
 * @param {import('./dom.js').Children} changes buttons
 */
function ownerRow(owner, use, changes) {
  const isKey = owner.key_alias !== undefined;
  const name = owner.key_alias ?? owner.team_id;
  const budget = budgetOf(owner);
  return h(
    'li',
    { class: owner.blocked ? 'off' : '', key: owner.token ?? owner.team_id },
    h('div', { class: 'what' }, isKey ? aboutKey(owner) : aboutTeam(owner), lately(use)),
    h(
      'div',
      { class: 'left' },
      owner.blocked && h('span', { class: 'badge bad' }, 'Disabled'),
      owner.role
        ? h('span', { class: 'badge' }, owner.role === 'admin' ? 'Administrator' : 'Read only')
        : budget
          ? budgetBar(budget)
          : h('span', { class: 'help' }, isKey ? 'No budget of its own' : 'No budget'),
    ),
    h(
      'div',
      { class: 'row end' },
      isKey
        ? owner.role !== 'viewer' && link('Jobs', linkTo('jobs', { key: name }), `Jobs of ${name}`)
        : [
            link('Keys', linkTo('keys', { team: name }), `Keys of ${name}`),
            link('Spend', linkTo('overview', { team: name }), `Spend of ${name}`),
          ],
      changes,
    ),
  );
}

/**
 * @param {Owner} team
 * @param {() => void} again
 */
function teamButtons(team, again) {
  const name = team.team_id;
  const [path, body] = ['/team/update', { team_id: name }];
  return [
    button('Budget', () => editBudget(team, team.team_alias || name, path, body, again), {
      'aria-label': `Budget of ${name}`,
    }),
    button('Edit', () => editTeam(team, again), { 'aria-label': `Edit ${name}` }),
    ...blocking(team, name, path, body, () => deleteTeam(team), again),
  ];
}

/**
 * @param {Owner} key
 * @param {Owner[] | null} teams
 * @param {() => void} again
 */
function keyButtons(key, teams, again) {
  const name = key.key_alias ?? '';
  const [path, body] = ['/key/update', { key: key.token }];
  return [
    // A role has no budget.
    !key.role &&
      button('Budget', () => editBudget(key, name, path, body, again), { 'aria-label': `Budget of ${name}` }),
    // Until the teams are known, the key would lose its own.
    button('Edit', () => editKey(key, teams ?? [], again), {
      'aria-label': `Edit ${name}`,
      disabled: !teams,
    }),
    button('Rotate', () => rotate(key, again), { 'aria-label': `Rotate ${name}` }),
    ...blocking(key, name, path, body, () => deleteKey(key), again),
  ];
}

/**
 * Returns buttons that disable an owner, or enable or delete it once it is disabled.
 * @param {Owner} owner
 * @param {string} name
 * @param {string} path
 * @param {Record<string, unknown>} body
 * @param {() => Promise<boolean>} remove
 * @param {() => void} again
 */
function blocking(owner, name, path, body, remove, again) {
  if (!owner.blocked) {
    const text = { kind: 'danger', 'aria-label': `Disable ${name}` };
    return [button('Disable', () => disable(name, path, body, again), text)];
  }
  const deleted = async () => {
    if (!(await remove())) return;
    say(`${name} is deleted.`);
    // Its button, which has the focus, goes with its row.
    document.querySelector('h1')?.focus();
    again();
  };
  return [
    button('Enable', () => enable(name, path, body, again), { 'aria-label': `Enable ${name}` }),
    button('Delete', deleted, { kind: 'danger', 'aria-label': `Delete ${name}` }),
  ];
}

/**
 * @param {string} text
 * @param {string} href
 * @param {string} label
 */
function link(text, href, label) {
  return h('a', { class: 'button', href, 'aria-label': label }, text);
}

/**
 * Says what was spent in the last 30 days, and when jobs last cost something.
 * @param {Use | null} use
 */
function lately(use) {
  if (!use) return h('span', { class: 'muted' }, 'No spend in 30 days');
  return h(
    'span',
    { class: 'muted' },
    h('b', {}, money(use.amount, { floor: use.floor })),
    ` in 30 days, last on ${dayNames(use.last)[0]}`,
  );
}

/** @param {Owner} team */
function aboutTeam(team) {
  return [
    h('b', {}, named(team.team_alias || team.team_id)),
    h('span', { class: 'muted' }, h('code', {}, team.team_id), ' · since ', moment(team.created_at)),
    limitsOf(team),
  ];
}

/** @param {Owner} key */
function aboutKey(key) {
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
      ownerOf(key) && [' · ', named(ownerOf(key))],
    ),
    limitsOf(key),
  ];
}

/** @param {Owner} owner */
function limitsOf({ models, default_labels, required_labels }) {
  const added = labelsText(default_labels);
  const rules = [
    added && `adds ${added}`,
    required_labels.length > 0 && `requires ${required_labels.join(', ')}`,
  ];
  return [
    models.length > 0 &&
      h(
        'span',
        { class: 'chips' },
        models.map((model) => h('span', { class: 'chip', key: model }, model)),
      ),
    rules.some(Boolean) && h('span', { class: 'muted' }, 'Labels: ', rules.filter(Boolean).join('; ')),
  ];
}
