/** Dialogs that make, change and delete teams. */

import { post } from './api.js';
import { field, h } from './dom.js';
import {
  budgetFields,
  changesOf,
  input,
  labelFields,
  limitFields,
  typedBudgets,
  typedLabels,
  typedLimits,
} from './limitfields.js';
import { ask } from './parts.js';

/** @typedef {import('./api.js').Owner} Owner */

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
        input('team_id', { required: true, placeholder: 'search' }),
        'Lower-case letters, digits, - and _. Jobs carry it as a label.',
      ),
      aliasField(null),
      ...limitFields(null),
      labelFields(null),
      budgetFields(null),
    ],
    {
      action: 'Create team',
      submit: (values) =>
        post('/team/new', {
          team_id: values('team_id'),
          team_alias: values('team_alias') || null,
          ...typedLimits(values),
          ...typedLabels(values),
          ...typedBudgets(values, null),
        }),
    },
  );
  if (made) again();
}

/**
 * Changes a team's name and what its jobs may use.
 * @param {Owner} team
 * @param {() => void} again
 */
export async function editTeam(team, again) {
  const done = await ask(
    `Edit ${team.team_alias || team.team_id}`,
    [aliasField(team), ...limitFields(team), labelFields(team)],
    {
      action: 'Save',
      submit: (values) =>
        post('/team/update', {
          team_id: team.team_id,
          ...changesOf(team, {
            team_alias: values('team_alias') || null,
            ...typedLimits(values),
            ...typedLabels(values),
          }),
        }),
    },
  );
  if (done) again();
}

/**
 * Deletes a team that has no keys.
 * @param {Owner} team
 */
export function deleteTeam(team) {
  const text =
    'Its costs stay on record under its id, which is not given out again. A team with keys is not deleted.';
  return ask(`Delete team ${team.team_alias || team.team_id}?`, h('p', {}, text), {
    action: 'Delete',
    kind: 'danger',
    submit: () => post('/team/delete', { team_ids: [team.team_id] }),
  });
}

/** @param {Owner | null} team */
function aliasField(team) {
  return field('Name for people', input('team_alias', { defaultValue: team?.team_alias ?? '' }));
}
