/** Running again what a job has left undone. */

import { amountText } from './amounts.js';
import { post } from './api.js';
import { h } from './dom.js';
import { UNDER_WAY } from './format.js';
import { useEffect, useState } from './hooks.module.js';
import { knownNano } from './money.js';
import { ask, say, skeleton } from './parts.js';

const WITHOUT_SUCCESS = ['JOB_STATE_FAILED', 'JOB_STATE_EXPIRED', 'JOB_STATE_CANCELLED'];

/**
 * Returns whether a job has ended, has left rows undone, and has output that a new job can start from. The gateway
 * knows for certain; what it says is shown before anything is submitted.
 *
 * @param {import('./job.js').Seen} seen
 */
export function mayResume({ cost, resource, later }) {
  if (!resource || UNDER_WAY.includes(cost.state) || !cost.outputs.length) return false;
  if (later && !WITHOUT_SUCCESS.includes(later.state)) return false;
  const { succeeded, carriedOver, failed, malformed, unrecognized } = cost.rows;
  const { total } = cost.progress;
  if (total) return succeeded + carriedOver < total;
  return cost.state !== 'JOB_STATE_SUCCEEDED' || failed + malformed + unrecognized > 0;
}

/**
 * Asks, and creates the job; then shows it.
 * @param {string} path
 * @param {string} name
 */
export async function resume(path, name) {
  let made = '';
  const sure = await ask(`Resume “${name}”?`, h(Offer, { path }), {
    action: 'Resume the job',
    submit: async () => {
      made = (await post(`${path}:resume`, {})).name;
    },
  });
  if (!sure) return;
  say('The new job is submitted.');
  location.hash = pathOf(made, path);
}

/**
 * Returns the page of a job, given its name and the path of another one in the same project: names have the
 * project's number.
 *
 * @param {string} name
 * @param {string} path
 */
export function pathOf(name, path) {
  const [, at, id] = /locations\/([^/]+)\/batchPredictionJobs\/([^/]+)$/.exec(name) ?? [];
  const [, project] = /projects\/([^/]+)\//.exec(path) ?? [];
  return `#/jobs/${project}/${at}/${id}`;
}

/**
 * Says what it would cost, or why it cannot be.
 * @param {{path: string}} props
 */
function Offer({ path }) {
  const [found, setFound] = useState(/** @type {import('./estimate.js').Estimated | Error | null} */ (null));
  useEffect(() => {
    const leaving = new AbortController();
    post(`${path}:resume?validateOnly=true`, {}, leaving.signal).then(setFound, setFound);
    return () => leaving.abort();
  }, []);
  return [
    h(
      'p',
      {},
      'A new job runs the rows that have no answer yet, and copies the others from this one’s output, free of charge.',
    ),
    found === null && skeleton(2),
    found instanceof Error && h('p', { class: 'problem', role: 'alert' }, found.message),
    found && !(found instanceof Error) && h('p', { role: 'status' }, cost(found)),
  ];
}

/** @param {import('./estimate.js').Estimated} estimate */
function cost({ low, expected, high }) {
  const [least, likely, most] = [low, expected, high].map((amount) => amountText(knownNano(amount)));
  return [h('b', {}, `${likely} expected`), `, from ${least} to ${most}.`];
}
