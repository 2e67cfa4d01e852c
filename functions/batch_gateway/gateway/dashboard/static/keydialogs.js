/** What an administrator is asked before a key or a team is made or changed. */

import { post } from './api.js';
import { button, field, h, select } from './dom.js';
import { typedBudget } from './money.js';
import { ask, copy, say } from './parts.js';

const DURATIONS = [
  ['1mo', 'a calendar month'],
  ['7d', 'a week, from Monday'],
  ['24h', 'a day'],
  ['', 'never: once in all'],
];
const GRACES = [
  ['', 'at once'],
  ['1h', 'in an hour'],
  ['24h', 'in a day'],
  ['7d', 'in a week'],
];

/** Asks for a new team; `again` is called when there is one. */
export async function newTeam(again) {
  const id = h('input', { required: true, autocomplete: 'off', placeholder: 'search' });
  const alias = h('input', { autocomplete: 'off' });
  const budget = budgetFields({});
  const made = await ask(
    'New team',
    [
      field('Id', id, 'Lower-case letters, digits, - and _. Jobs carry it as a label.'),
      field('Name for people', alias),
      budget.element,
    ],
    {
      action: 'Create team',
      submit: () =>
        post('/team/new', {
          team_id: id.value.trim(),
          team_alias: alias.value.trim() || null,
          ...budget.values(),
        }),
    },
  );
  if (made) again();
}

/** Asks for a new key in one of the teams, and shows its secret. */
export async function newKey(teams, chosen, again) {
  const alias = h('input', { required: true, autocomplete: 'off', placeholder: 'nightly-classifier' });
  const team = select(
    [['', 'No team'], ...teams.map((each) => [each.team_id, each.team_alias ?? each.team_id])],
    chosen ?? '',
  );
  const models = h('input', { autocomplete: 'off', placeholder: 'gemini-3.5-*' });
  const prefixes = h('input', {
    autocomplete: 'off',
    placeholder: 'gs://batch-in/search, gs://batch-out/search',
  });
  const ends = select(
    [
      ['', 'never'],
      ['30d', 'in 30 days'],
      ['90d', 'in 90 days'],
      ['365d', 'in a year'],
    ],
    '',
  );
  const budget = budgetFields({});
  let answer = null;
  await ask(
    'New key',
    [
      field('Alias', alias, 'Its name in costs.'),
      field('Team', team),
      field('Models', models, 'Separated by commas; empty for all. * stands for anything.'),
      field('May read and write', prefixes, 'gs:// and bq:// prefixes, separated by commas; empty for any.'),
      field('Expires', ends),
      budget.element,
    ],
    {
      action: 'Create key',
      submit: async () => {
        if (!alias.value.trim()) throw new Error('Give the key an alias: costs are told apart by it.');
        answer = await post('/key/generate', {
          key_alias: alias.value.trim(),
          team_id: team.value || null,
          models: listed(models.value),
          allowed_uri_prefixes: listed(prefixes.value),
          duration: ends.value || null,
          ...budget.values(),
        });
      },
    },
  );
  if (answer) await showSecret(answer);
  if (answer) again();
}

function budgetFields(owner) {
  const most = h('input', {
    inputmode: 'decimal',
    autocomplete: 'off',
    placeholder: 'none',
    value: owner.max_budget ?? '',
  });
  const soft = h('input', {
    inputmode: 'decimal',
    autocomplete: 'off',
    placeholder: 'none',
    value: owner.soft_budget ?? '',
  });
  const options =
    DURATIONS.some(([value]) => value === (owner.budget_duration ?? '1mo')) || !owner.budget_duration
      ? DURATIONS
      : [[owner.budget_duration, `every ${owner.budget_duration}`], ...DURATIONS];
  const every = select(options, owner.budget_duration ?? (owner.max_budget ? '' : '1mo'));
  const changed = () => most.value !== (owner.max_budget ?? '') || soft.value !== (owner.soft_budget ?? '');
  return {
    element: h(
      'fieldset',
      {},
      h('legend', {}, 'Budget, in USD'),
      field('Stop creating jobs at', most),
      field('Warn from', soft),
      field('Starts again after', every),
    ),
    values() {
      const budget = { budget_duration: every.value || null };
      if (changed() || owner.max_budget === undefined) {
        budget.max_budget = typedBudget(most.value);
        budget.soft_budget = typedBudget(soft.value);
      }
      if (budget.max_budget === null && budget.soft_budget === null) budget.budget_duration = null;
      return budget;
    },
  };
}

export async function editBudget(owner, name, path, named, again) {
  const budget = budgetFields(owner);
  const done = await ask(`Budget of ${name}`, budget.element, {
    action: 'Save',
    submit: () => post(path, { ...named, ...budget.values() }),
  });
  if (done) again();
}

export function toggle(owner, name, path, named, again) {
  if (owner.blocked) {
    return button(
      'Enable',
      async () => {
        try {
          await post(path, { ...named, blocked: false });
          say(`${name} is enabled again.`);
          again();
        } catch (error) {
          say(error.message);
        }
      },
      { 'aria-label': `Enable ${name}` },
    );
  }
  return button(
    'Disable',
    async () => {
      const text =
        'Its requests are refused from ten seconds from now on. Jobs under way go on. It can be enabled again.';
      const done = await ask(`Disable ${name}?`, h('p', {}, text), {
        action: 'Disable',
        kind: 'danger',
        submit: () => post(path, { ...named, blocked: true }),
      });
      if (done) again();
    },
    { kind: 'danger', 'aria-label': `Disable ${name}` },
  );
}

export async function rotate(key, again) {
  const grace = select(GRACES, '24h');
  let answer = null;
  await ask(
    `Rotate ${key.key_alias}?`,
    [
      h('p', {}, 'The key gets a new secret. Alias, team, budget and costs stay.'),
      field('The old secret ends', grace),
    ],
    {
      action: 'Rotate',
      submit: async () => {
        answer = await post('/key/regenerate', { key: key.token, grace_period: grace.value || null });
      },
    },
  );
  if (answer) await showSecret(answer);
  if (answer) again();
}

/** The only time that anybody sees it. */
function showSecret(answer) {
  const secret = h('output', { class: 'secret' }, answer.key);
  return ask(
    `Key ${answer.key_alias}`,
    [
      h('p', {}, 'This is the only time that the secret is shown. Copy it to where it is used.'),
      h(
        'div',
        { class: 'row' },
        secret,
        button('Copy', () => copy(answer.key), { symbol: 'copy', kind: 'primary' }),
      ),
    ],
    { action: 'I have copied it', cancel: null },
  );
}

function listed(text) {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean);
}
