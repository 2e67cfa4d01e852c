/** What a job read and wrote: places in the cloud, and its results as files. */

import { button, h, table } from './dom.js';
import { bytes, count } from './format.js';
import { useRef, useState } from './hooks.module.js';
import { lostRows } from './lostrows.js';
import { Card, copy, empty, say } from './parts.js';
import { away, consoleOfJob, place } from './places.js';
import { save } from './saving.js';

/**
 * @typedef {import('./job.js').Cost} Cost
 * @typedef {import('./job.js').Resource} Resource
 * @typedef {{bytes: number, leave: AbortController} | string | null} Downloading how far, or why not
 */

const MOST_INPUTS = 10;

/** @param {{cost: Cost, path: string, id: string}} props */
export function ResultsCard({ cost, path, id }) {
  const [state, setState] = useState(/** @type {Downloading} */ (null));
  const shown = useRef(0);
  const title = 'Results';
  if (!cost.outputs.length) {
    return h(Card, { title }, empty('No results yet', 'Vertex AI writes them when rows are done.'));
  }
  const size = cost.outputs.reduce((sum, output) => sum + output.bytes, 0);
  const busy = typeof state === 'object' && state !== null;
  /**
   * @param {import('./api.js').Query} query
   * @param {string} name
   */
  const take = (query, name) => async () => {
    const leave = new AbortController();
    setState({ bytes: 0, leave });
    /** @param {number} read */
    const progress = (read) => {
      if (Date.now() - shown.current < 200) return;
      shown.current = Date.now();
      setState({ bytes: read, leave });
    };
    try {
      if (await save(`${path}/results`, query, name, { signal: leave.signal, progress }))
        say(`Saved ${name}.`);
      setState(null);
    } catch (error) {
      setState(leave.signal.aborted ? null : /** @type {Error} */ (error).message);
    }
  };
  const options = { symbol: 'download', disabled: busy };
  const command = `vbatch jobs results ${id} --out results.jsonl`;
  return h(
    Card,
    { title },
    h(
      'div',
      { class: 'row' },
      button('Download results', take([], `${id}-results.jsonl`), {
        ...options,
        kind: 'primary',
        title: 'Vertex AI’s own lines, as JSONL',
      }),
      lostRows(cost) > 0 &&
        button(
          'Rows without an answer',
          take(
            [
              ['state', 'failed'],
              ['state', 'blocked'],
              ['state', 'malformed'],
              ['state', 'unrecognized'],
            ],
            `${id}-failed.jsonl`,
          ),
          options,
        ),
      button(
        'Usage by row (CSV)',
        take(
          [
            ['view', 'usage'],
            ['format', 'csv'],
          ],
          `${id}-usage.csv`,
        ),
        options,
      ),
    ),
    busy &&
      h(
        'div',
        { class: 'row downloading', role: 'status' },
        h('span', {}, bytes(state.bytes), ' received'),
        button('Stop', () => state.leave.abort()),
      ),
    typeof state === 'string' && h('p', { class: 'problem', role: 'alert' }, state),
    h(
      'p',
      { class: 'help' },
      'showSaveFilePicker' in globalThis
        ? ['Written to your disk as it arrives, ', bytes(size), ' in all. ']
        : ['This browser holds a download in memory, so 500 MB is the most; these are ', bytes(size), '. '],
      'In a terminal: ',
    ),
    h(
      'p',
      { class: 'place' },
      h('code', {}, command),
      button('', () => copy(command), {
        symbol: 'copy',
        kind: 'quiet icon-only',
        'aria-label': 'Copy the command',
      }),
    ),
  );
}

/**
 * @param {Cost} cost
 * @param {Resource | null} resource
 * @param {string[]} job project, location and id
 */
export function filesCard(cost, resource, job) {
  const { gcsSource, bigquerySource } = resource?.inputConfig ?? {};
  const inputs = [gcsSource?.uris ?? [], bigquerySource?.inputUri ?? []].flat();
  const { gcsOutputDirectory, bigqueryOutputTable } = resource?.outputInfo ?? {};
  const folder = gcsOutputDirectory ?? bigqueryOutputTable;
  const title = 'Files';
  return h(
    Card,
    { title, actions: resource && away(consoleOfJob(job), 'Job in the Cloud console') },
    h(
      'dl',
      { class: 'places' },
      inputs.length > 0 &&
        pair(
          'Input',
          inputs.slice(0, MOST_INPUTS).map((uri) => place(uri)),
          inputs.length > MOST_INPUTS && h('small', {}, `and ${inputs.length - MOST_INPUTS} more`),
        ),
      folder && pair('Output', place(folder)),
    ),
    cost.outputs.length > 0
      ? table(
          'Outputs',
          [
            ['Settled output', 'uri'],
            ['Rows', 'number'],
            ['Size', 'number'],
          ],
          cost.outputs.map((output) => [
            [place(output.uri), output.error && h('small', { class: 'failed' }, output.error)],
            count(output.rows),
            bytes(output.bytes),
          ]),
        )
      : h(
          'p',
          { class: 'help' },
          cost.status === 'FINAL'
            ? 'The job left no output.'
            : 'No output is settled yet. Vertex AI writes it when rows are done.',
        ),
  );
}

/**
 * @param {string} name
 * @param {import('./dom.js').Children[]} values
 */
function pair(name, ...values) {
  return h('div', {}, h('dt', {}, name), h('dd', {}, values));
}
