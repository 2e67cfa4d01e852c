/** Dialogs that make, change, rotate and delete keys, and those that keys and teams have in common. */

import { post } from './api.js';
import { button, field, h, select } from './dom.js';
import { exactTime } from './format.js';
import { useState } from './hooks.module.js';
import {
  budgetFields,
  changesOf,
  input,
  labelFields,
  limitFields,
  rateField,
  typedBudgets,
  typedLabels,
  typedLimits,
} from './limitfields.js';
import { ask, copy, say } from './parts.js';
import { FieldError } from './problems.js';

/**
 * @typedef {import('./api.js').Owner} Owner
 * @typedef {import('./parts.js').Values} Values
 * @typedef {Record<string, unknown>} Named the key or team that a change is for, in a body
 * @typedef {{key?: string, key_alias: string, webhook_secret?: string}} Secrets what is shown once
 */

const EXPIRIES = [
  ['', 'never'],
  ['30d', 'in 30 days'],
  ['90d', 'in 90 days'],
  ['365d', 'in a year'],
];
const KEEP = 'keep';
const GRACES = [
  ['', 'at once'],
  ['1h', 'in an hour'],
  ['24h', 'in a day'],
  ['7d', 'in a week'],
];
const ROLES = [
  ['', 'Runs jobs'],
  ['viewer', 'Read only'],
  ['admin', 'Administrator'],
];
/** @type {Record<string, string>} */
const MAY = {
  '': 'Creates jobs, and sees those of its team; without a team, its own.',
  viewer: 'Sees what its team may see; without a team, everything. It changes nothing.',
  admin: 'May do all that you see here. Give each administrator a key of their own, with their name.',
};

/**
 * Asks for a new key, and shows its secret.
 * @param {Owner[]} teams
 * @param {string | null} chosen
 * @param {() => void} again
 */
export async function newKey(teams, chosen, again) {
  /** @type {Secrets | null} */
  let answer = null;
  await ask('New key', h(KeyFields, { owner: null, teams, team: chosen }), {
    action: 'Create key',
    submit: async (values) => {
      answer = await post('/key/generate', {
        ...typedKey(values, null),
        duration: values('duration') || null,
        ...typedBudgets(values, null),
      });
    },
  });
  if (answer) await showSecrets(answer);
  if (answer) again();
}

/**
 * Changes what a key is called, whose it is and what it may do.
 * @param {Owner} key
 * @param {Owner[]} teams
 * @param {() => void} again
 */
export async function editKey(key, teams, again) {
  /** @type {Secrets | null} */
  let answer = null;
  const fields = h(KeyFields, { owner: key, teams, team: key.team_id });
  const noBudget = { max_budget: null, soft_budget: null, budget_duration: null };
  await ask(`Edit ${key.key_alias}`, fields, {
    action: 'Save',
    submit: async (values) => {
      const [role, expires] = [values('role') || null, values('duration')];
      const changes = changesOf(key, { ...typedKey(values, key), ...(role && noBudget) });
      answer = await post('/key/update', {
        key: key.token,
        ...changes,
        // With another team it may see more, so that both are said.
        ...('team_id' in changes && { role }),
        ...(expires !== KEEP && { duration: expires || null }),
      });
    },
  });
  if (answer && /** @type {Secrets} */ (answer).webhook_secret) await showSecrets(answer);
  if (answer) again();
}

/**
 * Shows the fields that make sense with the role that is chosen.
 * @param {{owner: Owner | null, teams: Owner[], team: string | null}} props `owner` is the key; null for a new one
 */
function KeyFields({ owner, teams, team }) {
  const [role, setRole] = useState(owner?.role ?? '');
  const ofTeams = teams.map((each) => [each.team_id, each.team_alias || each.team_id]);
  const now = owner && [[KEEP, owner.expires ? `on ${exactTime(owner.expires)}` : 'never']];
  const later = owner?.expires ? EXPIRIES : EXPIRIES.slice(1);
  return [
    field(
      'Alias',
      input('key_alias', {
        required: true,
        placeholder: 'nightly-classifier',
        defaultValue: owner?.key_alias,
      }),
      'Its name in costs and in the audit trail.',
    ),
    h(
      'div',
      { class: 'row fields' },
      field(
        'Role',
        select(ROLES, role, {
          name: 'role',
          onchange: (/** @type {any} */ event) => setRole(event.target.value),
        }),
      ),
      role !== 'admin' &&
        field('Team', select([['', 'No team'], ...ofTeams], team ?? '', { name: 'team_id' })),
    ),
    h(
      'p',
      { class: 'help', role: 'status' },
      MAY[role],
      owner && !owner.role && role && ' Its limits, budget and webhook are taken from it.',
    ),
    h(
      'div',
      { class: 'row fields' },
      field('Owner', input('owner', { defaultValue: owner ? ownerOf(owner) : '' }), 'Whom to ask about it.'),
      field('Expires', select(now ? [...now, ...later] : EXPIRIES, now ? KEEP : '', { name: 'duration' })),
    ),
    role === 'viewer' && rateField(owner),
    role === '' && [
      limitFields(owner),
      field(
        'Webhook',
        input('webhook_url', { placeholder: 'https://…', defaultValue: owner?.webhook_url ?? '' }),
        'Where events of its jobs go.',
      ),
      labelFields(owner),
      !owner && budgetFields(null),
    ],
  ];
}

/**
 * Returns what was typed about a key, for a body; what does not go with its role is taken from it.
 * @param {Values} values
 * @param {Owner | null} key
 */
function typedKey(values, key) {
  const [owner, hook] = [values('owner'), values('webhook_url')];
  if (!values('key_alias')) {
    throw new FieldError('key_alias', 'Give the key an alias: costs are told apart by it.');
  }
  return {
    key_alias: values('key_alias'),
    role: values('role') || null,
    team_id: values('team_id') || null,
    metadata: { ...key?.metadata, owner: owner || undefined },
    ...typedLimits(values),
    ...typedLabels(values),
    webhook_url: hook || null,
  };
}

/**
 * Returns whom a key belongs to, as its metadata says; empty if they do not.
 * @param {Owner} key
 */
export function ownerOf(key) {
  return typeof key.metadata?.owner === 'string' ? key.metadata.owner : '';
}

/**
 * @param {Owner} key
 * @param {() => void} again
 */
export async function rotate(key, again) {
  /** @type {Secrets | null} */
  let answer = null;
  await ask(
    `Rotate ${key.key_alias}?`,
    [
      h('p', {}, 'The key gets a new secret. Alias, team, budget and costs stay.'),
      field('The old secret ends', select(GRACES, '24h', { name: 'grace_period' })),
    ],
    {
      action: 'Rotate',
      submit: async (values) => {
        answer = await post('/key/regenerate', {
          key: key.token,
          grace_period: values('grace_period') || null,
        });
      },
    },
  );
  if (answer) await showSecrets(answer);
  if (answer) again();
}

/** @param {Owner} key */
export function deleteKey(key) {
  return ask(`Delete ${key.key_alias}?`, h('p', {}, 'This cannot be undone. Its costs stay on record.'), {
    action: 'Delete',
    kind: 'danger',
    submit: () => post('/key/delete', { keys: [key.token] }),
  });
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
 * Shows secrets, the only time that anybody sees them.
 * @param {Secrets} answer
 */
function showSecrets({ key, key_alias, webhook_secret }) {
  const secret = (/** @type {string} */ text, /** @type {string} */ label) =>
    h(
      'div',
      { class: 'row' },
      h('output', { class: 'secret', 'aria-label': label }, text),
      button('Copy', () => copy(text), { symbol: 'copy', kind: 'primary', 'aria-label': `Copy: ${label}` }),
    );
  const signs = 'Its webhook’s requests are signed with this one:';
  return ask(
    `Key ${key_alias}`,
    [
      h('p', {}, 'This is the only time that a secret is shown. Copy it to where it is used.'),
      key && secret(key, 'Secret of the key'),
      webhook_secret && [key && h('p', {}, signs), secret(webhook_secret, 'Secret of the webhook')],
    ],
    { action: 'I have copied it', kind: '', cancel: null },
  );
}
