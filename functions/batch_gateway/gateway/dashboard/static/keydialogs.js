/** Dialogs that make and change keys and teams. */

import { post } from './api.js';
import { button, field, h, select } from './dom.js';
import { typedBudget } from './money.js';
import { ask, copy, say } from './parts.js';

/**
 * @typedef {import('./api.js').Owner} Owner
 * @typedef {import('./parts.js').Values} Values
 * @typedef {Record<string, unknown>} Named the key or team that a change is for, in a body
 */

const DURATIONS = [
  ['1mo', 'a calendar month'],
  ['7d', 'a week, from Monday'],
  ['24h', 'a day'],
  ['', 'never'],
];
const GRACES = [
  ['', 'at once'],
  ['1h', 'in an hour'],
  ['24h', 'in a day'],
  ['7d', 'in a week'],
];

/**
 * Asks for a new team; `again` is called when there is one.
 * @param {() => void} again
 */
export async function newTeam(again) {
  const made = await ask(
    'New team',
    [
      field(
        'Id',
        input('id', { required: true, placeholder: 'search' }),
        'Lower-case letters, digits, - and _. Jobs carry it as a label.',
      ),
      field('Name for people', input('alias')),
      budgetFields(null),
    ],
    {
      action: 'Create team',
      submit: (values) =>
        post('/team/new', {
          team_id: values('id'),
          team_alias: values('alias') || null,
          ...typedBudgets(values, null),
        }),
    },
  );
  if (made) again();
}

/**
 * Asks for a new key in one of the teams, and shows its secret.
 * @param {Owner[]} teams
 * @param {string | null} chosen
 * @param {() => void} again
 */
export async function newKey(teams, chosen, again) {
  const ofTeams = teams.map((each) => [each.team_id, each.team_alias || each.team_id]);
  const expiries = [
    ['', 'never'],
    ['30d', 'in 30 days'],
    ['90d', 'in 90 days'],
    ['365d', 'in a year'],
  ];
  /** @type {Secret | null} */
  let answer = null;
  await ask(
    'New key',
    [
      field(
        'Alias',
        input('alias', { required: true, placeholder: 'nightly-classifier' }),
        'Its name in costs.',
      ),
      field('Team', select([['', 'No team'], ...ofTeams], chosen ?? '', { name: 'team' })),
      ...grantFields(null),
      field('Expires', select(expiries, '', { name: 'expires' })),
      budgetFields(null),
    ],
    {
      action: 'Create key',
      submit: async (values) => {
        if (!values('alias')) throw new Error('Give the key an alias: costs are told apart by it.');
        answer = await post('/key/generate', {
          key_alias: values('alias'),
          team_id: values('team') || null,
          ...grant(values),
          duration: values('expires') || null,
          ...typedBudgets(values, null),
        });
      },
    },
  );
  if (answer) await showSecret(answer);
  if (answer) again();
}

/**
 * @param {string} name
 * @param {Record<string, any>} properties
 */
function input(name, properties = {}) {
  return h('input', { name, autocomplete: 'off', ...properties });
}

/** @param {Owner | null} owner whose budget is changed; null for a new one */
function budgetFields(owner) {
  const now = owner?.budget_duration ?? (owner?.max_budget ? '' : '1mo');
  const options = DURATIONS.some(([value]) => value === now)
    ? DURATIONS
    : [[now, `every ${now}`], ...DURATIONS];
  const amount = (/** @type {string} */ name, /** @type {string | null | undefined} */ value) =>
    input(name, { inputmode: 'decimal', placeholder: 'none', defaultValue: value ?? '' });
  return h(
    'fieldset',
    {},
    h('legend', {}, 'Budget, in USD'),
    field('Stop creating jobs at', amount('most', owner?.max_budget)),
    field('Warn from', amount('soft', owner?.soft_budget)),
    field('Resets every', select(options, now, { name: 'every' })),
  );
}

/**
 * Returns the typed budget for a body; amounts that were not touched are left out, so that none is rounded.
 * @param {Values} values
 * @param {Owner | null} owner
 */
function typedBudgets(values, owner) {
  /** @type {Record<string, string | number | null>} */
  const budget = { budget_duration: values('every') || null };
  const [most, soft] = [values('most'), values('soft')];
  if (!owner || most !== (owner.max_budget ?? '') || soft !== (owner.soft_budget ?? '')) {
    budget.max_budget = typedBudget(most);
    budget.soft_budget = typedBudget(soft);
  }
  if (budget.max_budget === null && budget.soft_budget === null) budget.budget_duration = null;
  return budget;
}

/**
 * @param {Owner} owner
 * @param {string} name
 * @param {string} path
 * @param {Named} named
 * @param {() => void} again
 */
export async function editBudget(owner, name, path, named, again) {
  const done = await ask(`Budget of ${name}`, budgetFields(owner), {
    action: 'Save',
    submit: (values) => post(path, { ...named, ...typedBudgets(values, owner) }),
  });
  if (done) again();
}

/**
 * @param {string} name
 * @param {string} path
 * @param {Named} named
 * @param {() => void} again
 */
export async function enable(name, path, named, again) {
  try {
    await post(path, { ...named, blocked: false });
    say(`${name} is enabled again.`);
    again();
  } catch (error) {
    say(/** @type {Error} */ (error).message);
  }
}

/**
 * @param {string} name
 * @param {string} path
 * @param {Named} named
 * @param {() => void} again
 */
export async function disable(name, path, named, again) {
  const text =
    'Its requests are refused from ten seconds from now on. Jobs under way go on. It can be enabled again.';
  const done = await ask(`Disable ${name}?`, h('p', {}, text), {
    action: 'Disable',
    kind: 'danger',
    submit: () => post(path, { ...named, blocked: true }),
  });
  if (done) again();
}

/**
 * @param {Owner} key
 * @param {() => void} again
 */
export async function rotate(key, again) {
  /** @type {Secret | null} */
  let answer = null;
  await ask(
    `Rotate ${key.key_alias}?`,
    [
      h('p', {}, 'The key gets a new secret. Alias, team, budget and costs stay.'),
      field('The old secret ends', select(GRACES, '24h', { name: 'grace' })),
    ],
    {
      action: 'Rotate',
      submit: async (values) => {
        answer = await post('/key/regenerate', { key: key.token, grace_period: values('grace') || null });
      },
    },
  );
  if (answer) await showSecret(answer);
  if (answer) again();
}

/**
 * Changes who a key belongs to and what it may use.
 * @param {Owner} key
 * @param {() => void} again
 */
export async function editKey(key, again) {
  const done = await ask(
    `Edit ${key.key_alias}`,
    [
      field(
        'Owner',
        input('owner', { defaultValue: ownerOf(key) }),
        'Whom to ask about it, such as an address.',
      ),
      ...grantFields(key),
    ],
    {
      action: 'Save',
      submit: (values) =>
        post('/key/update', {
          key: key.token,
          metadata: { ...key.metadata, owner: values('owner') || undefined },
          ...grant(values),
        }),
    },
  );
  if (done) again();
}

/**
 * Returns whom a key belongs to, as its metadata says; empty if they do not.
 * @param {Owner} key
 */
export function ownerOf(key) {
  return typeof key.metadata?.owner === 'string' ? key.metadata.owner : '';
}

/** @param {Owner | null} key */
function grantFields(key) {
  return [
    field(
      'Models',
      input('models', { placeholder: 'gemini-3.5-*', defaultValue: (key?.models ?? []).join(', ') }),
      'Separated by commas; empty for all. * stands for anything.',
    ),
    field(
      'May read and write',
      input('prefixes', {
        placeholder: 'gs://batch-in/search, gs://batch-out/search',
        defaultValue: (key?.allowed_uri_prefixes ?? []).join(', '),
      }),
      'gs:// and bq:// prefixes, separated by commas; empty for any.',
    ),
  ];
}

/** @param {Values} values */
function grant(values) {
  return { models: listed(values('models')), allowed_uri_prefixes: listed(values('prefixes')) };
}

/** @typedef {{key: string, key_alias: string}} Secret */

/**
 * Shows a secret, the only time that anybody sees it.
 * @param {Secret} answer
 */
function showSecret(answer) {
  return ask(
    `Key ${answer.key_alias}`,
    [
      h('p', {}, 'This is the only time that the secret is shown. Copy it to where it is used.'),
      h(
        'div',
        { class: 'row' },
        h('output', { class: 'secret' }, answer.key),
        button('Copy', () => copy(answer.key), { symbol: 'copy', kind: 'primary' }),
      ),
    ],
    { action: 'I have copied it', kind: '', cancel: null },
  );
}

/** @param {string} text */
function listed(text) {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean);
}
