/** A batch from a file to its job: choose, upload, see what it would cost, submit. The job's page does the rest. */

import { create, get, store, whoAmI } from './api.js';
import { button, field, h, table } from './dom.js';
import { result } from './estimate.js';
import { bytes, several, whole } from './format.js';
import { useEffect, useRef, useState } from './hooks.module.js';
import { MOST_BYTES, read } from './inputfile.js';
import { LabelFields, labelRules, typedLabels } from './joblabels.js';
import { usePolled } from './live.js';
import { Card, copy, empty, failure, skeleton } from './parts.js';
import { ProblemOfForm, useProblem } from './problems.js';
import { pathOf } from './resume.js';

/**
 * @typedef {import('./inputfile.js').Chosen} Chosen
 * @typedef {{file: File, uri: string, output: string}} Stored
 * @typedef {{estimate: import('./estimate.js').Estimated, path: string, body: object, once: string}} Offer
 */

// The gateway refuses names that the output of jobs may have.
const LIKE_OUTPUT = /^((incremental_)?prediction.*|errors_.*|[0-9]+)$/;

/** @param {import('./main.js').View} view */
export function Run({ who, query }) {
  const [chosen, setChosen] = useState(/** @type {Chosen | null} */ (null));
  const { form, setError, ofField, ofForm } = useProblem();
  const [offer, setOffer] = useState(/** @type {Offer | Error | 'busy' | null} */ (null));
  const [models, setModels] = useState(/** @type {string[]} */ ([]));
  const [where, setWhere] = useState({
    project: query.get('project') ?? '',
    location: query.get('location') ?? '',
  });
  const stored = useRef(/** @type {Stored | null} */ (null));
  // The rules may have changed since the key signed in.
  const limits = usePolled(
    () => 300,
    async (signal) => (await whoAmI(signal)).limits,
    [],
  );
  const rules = labelRules(limits.data ?? who.limits);

  useEffect(() => {
    const leaving = new AbortController();
    // Where the latest job ran is where the next one is likely to.
    get('/v1/jobs', [['limit', 1]], leaving.signal).then(
      ({ data: [latest] }) =>
        latest &&
        setWhere((now) => ({
          project: now.project || latest.project,
          location: now.location || latest.location,
        })),
      () => {},
    );
    get('/v1/prices', [], leaving.signal).then(
      ({ prices }) =>
        setModels([...new Set(prices.map((/** @type {{model: string}} */ each) => each.model))].sort()),
      () => {},
    );
    return () => leaving.abort();
  }, []);

  /** @param {File | undefined} file */
  async function choose(file) {
    setOffer(null);
    setError(null);
    setChosen(null);
    if (!file) return;
    if (file.size === 0) setError(new Error(`${file.name} is empty.`));
    else setChosen(await read(file));
  }

  /** @param {SubmitEvent} event */
  async function estimate(event) {
    event.preventDefault();
    const values = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const typed = (/** @type {string} */ name) => String(values.get(name) ?? '').trim();
    const [model, project, location] = ['model', 'project', 'location'].map(typed);
    setError(null);
    setOffer(null);
    if (!chosen || chosen.problems.length || chosen.file.size > MOST_BYTES) {
      return setError(new Error('Choose a file of JSON lines without errors, of 10 MiB at most.'));
    }
    if (!model || !project || !location)
      return setError(new Error('Enter a model, a project and a location.'));
    /** @type {Record<string, string>} */
    let labels;
    try {
      labels = typedLabels(typed, rules);
    } catch (error) {
      return setError(/** @type {Error} */ (error));
    }
    try {
      setOffer('busy');
      if (stored.current?.file !== chosen.file) stored.current = await upload(chosen);
      const { uri, output } = stored.current;
      const body = {
        displayName: typed('name') || chosen.stem,
        model,
        ...(Object.keys(labels).length > 0 && { labels }),
        inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: [uri] } },
        outputConfig: {
          predictionsFormat: 'jsonl',
          gcsDestination: { outputUriPrefix: typed('output') || output },
        },
      };
      const parent = `/v1/projects/${encodeURIComponent(project)}/locations/${encodeURIComponent(location)}`;
      const path = `${parent}/batchPredictionJobs`;
      // The same offer submits one job, however often the button is pressed.
      setOffer({ estimate: await create(`${path}:estimateCost`, body), path, body, once: random() });
    } catch (error) {
      setOffer(/** @type {Error} */ (error));
    }
    return undefined;
  }

  const single = { autocomplete: 'off', spellcheck: false };
  return [
    h('div', { class: 'title' }, h('h1', { tabindex: -1 }, 'Run a batch')),
    h(
      'div',
      { class: 'columns even' },
      h(
        Card,
        { title: 'Job' },
        h(
          'form',
          // What was estimated is what is submitted.
          { ref: form, class: 'stack', novalidate: true, onsubmit: estimate, oninput: () => setOffer(null) },
          h(Drop, { choose }),
          chosen && about(chosen),
          field(
            'Model',
            h('input', {
              ...single,
              name: 'model',
              list: 'models',
              required: true,
              placeholder: 'gemini-3.5-flash',
            }),
          ),
          h(
            'datalist',
            { id: 'models' },
            models.map((model) => h('option', { key: model, value: model })),
          ),
          h(
            'div',
            { class: 'row fields' },
            field(
              'Project',
              h('input', { ...single, name: 'project', required: true, defaultValue: where.project }),
            ),
            field(
              'Location',
              h('input', { ...single, name: 'location', required: true, defaultValue: where.location }),
            ),
          ),
          field('Name', h('input', { ...single, name: 'name', placeholder: chosen?.stem ?? '' })),
          h(ProblemOfForm.Provider, { value: ofField }, h(LabelFields, { rules })),
          field(
            'Output',
            h('input', { ...single, name: 'output', placeholder: 'gs://bucket/folder' }),
            'Where the job writes. Leave it empty for a folder that the gateway chooses.',
          ),
          h('p', { class: 'problem', role: 'alert' }, ofForm),
          h(
            'div',
            { class: 'row' },
            h(
              'button',
              { type: 'submit', class: 'button primary', disabled: offer === 'busy' },
              'Upload and estimate',
            ),
          ),
        ),
      ),
      h(Card, { title: 'Before you submit' }, shown(offer)),
    ),
  ];
}

/** @param {Offer | Error | 'busy' | null} offer */
function shown(offer) {
  if (offer === 'busy') return skeleton(5);
  if (offer instanceof Error) return failure(offer, null, 'There is no estimate');
  if (offer) return h(Submit, { key: offer.once, offer });
  return empty(
    'Nothing is submitted yet',
    'The file is uploaded and estimated first. You see what the job would cost, and which rows Vertex AI would refuse.',
  );
}

/** @param {{offer: Offer}} props */
function Submit({ offer }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const { estimate, path, body, once } = offer;
  const { fatal, invalid } = estimate.rows;

  async function submit() {
    setBusy(true);
    setProblem('');
    try {
      location.hash = pathOf((await create(path, body, once)).name, path);
    } catch (error) {
      setProblem(/** @type {Error} */ (error).message);
      setBusy(false);
    }
  }

  return [
    result(estimate),
    h('p', { class: 'problem', role: 'alert' }, problem),
    invalid > 0 &&
      h(
        'p',
        { class: 'banner warn' },
        fatal > 0
          ? 'Correct these rows first: the job would fail before any row runs.'
          : 'These rows would fail by themselves, and cost nothing; the others run.',
      ),
    !fatal &&
      h('div', { class: 'row end' }, button('Submit the job', submit, { kind: 'primary', disabled: busy })),
  ];
}

/** @param {{choose: (file: File | undefined) => void}} props */
function Drop({ choose }) {
  const [over, setOver] = useState(false);
  /** @param {DragEvent} event */
  const dropped = (event) => {
    event.preventDefault();
    setOver(false);
    choose(event.dataTransfer?.files[0]);
  };
  return h(
    'div',
    {
      class: `drop${over ? ' over' : ''}`,
      ondragover: (/** @type {DragEvent} */ event) => {
        event.preventDefault();
        setOver(true);
      },
      ondragleave: () => setOver(false),
      ondrop: dropped,
    },
    field(
      'File',
      h('input', {
        type: 'file',
        accept: '.jsonl,.ndjson,application/jsonl',
        onchange: (/** @type {any} */ event) => choose(event.currentTarget.files[0]),
      }),
      'Drop a .jsonl file here: a request of Vertex AI in each line, 10 MiB at most.',
    ),
  );
}

/** @param {Chosen} chosen */
function about({ file, rows, problems, further }) {
  const command = `vbatch run ${/^[\w.-]+$/.test(file.name) ? file.name : `'${file.name.replaceAll("'", "'\\''")}'`} --model MODEL`;
  if (file.size > MOST_BYTES) {
    return h(
      'div',
      { class: 'banner warn' },
      h(
        'p',
        {},
        h('b', {}, file.name),
        ' has ',
        bytes(file.size),
        ', and the page sends 10 MiB at most. The command line uploads files of any size, past the gateway: ',
        h('code', {}, command),
        ' ',
        button('Copy', () => copy(command), { symbol: 'copy' }),
      ),
    );
  }
  if (!problems.length)
    return h('p', { class: 'muted', role: 'status' }, `${whole(rows)} rows, `, bytes(file.size));
  return h(
    'div',
    { role: 'alert' },
    h('p', { class: 'problem' }, 'These lines are not requests:'),
    table(
      'Lines that are not requests',
      [
        ['Line', 'number'],
        ['Why', 'wrap'],
      ],
      problems.map(([line, why]) => [whole(line), why]),
    ),
    further > 0 && h('p', { class: 'problem' }, `And ${several(further, 'more line')}.`),
  );
}

/**
 * Stores a file in a folder of its own, since the gateway overwrites nothing.
 * @param {Chosen} chosen
 * @returns {Promise<Stored>}
 */
async function upload({ file, stem }) {
  const folder = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-')}-${random().slice(0, 6)}`;
  const plain = stem.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '') || 'input';
  const safe = LIKE_OUTPUT.test(plain) ? `input-${plain}` : plain;
  const { uri, outputUriPrefix } = await store(`${folder}/${safe}.jsonl`, file);
  const output = outputUriPrefix
    ? `${outputUriPrefix}/${folder}/${safe}-output`
    : `${uri.replace(/\.jsonl$/, '')}-output`;
  return { file, uri, output };
}

function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((each) => each.toString(16).padStart(2, '0'))
    .join('');
}
