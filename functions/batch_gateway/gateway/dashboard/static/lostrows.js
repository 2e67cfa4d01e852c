/** The first rows of a job that have no usable answer: which they are, what Vertex AI says, and what to do. */

import { stream } from './api.js';
import { adviceOnRows } from './advice.js';
import { button, h, table } from './dom.js';
import { bytes, several, whole } from './format.js';
import { useEffect, useState } from './hooks.module.js';
import { Card, failure, skeleton } from './parts.js';

/** States of rows without an answer, and one that is cut off is an answer. */
const STATES = ['failed', 'blocked', 'malformed', 'unrecognized'];
const MOST_ROWS = 20;
/** Most bytes of output that are searched without being asked to. */
const SMALL = 100_000_000;
/** Most bytes of rows that are read for their messages. */
const MOST_READ = 4_000_000;
const LONGEST = 400;

/**
 * @typedef {import('./job.js').Cost} Cost
 * @typedef {{row: number, key: string | null, state: string, reason: string | null}} Row
 * @typedef {Row & {message: string | null, excerpt: string | null}} Told
 */

/**
 * Returns how many rows have no usable answer.
 * @param {Cost} cost
 */
export function lostRows({ rows, waste }) {
  const blocked = waste.reasons.filter(({ kind }) => kind === 'blocked');
  return rows.failed + rows.malformed + rows.unrecognized + blocked.reduce((sum, each) => sum + each.rows, 0);
}

/** @param {{path: string, cost: Cost}} props */
export function LostRows({ path, cost }) {
  const lost = lostRows(cost);
  const size = cost.outputs.reduce((sum, output) => sum + output.bytes, 0);
  const [wanted, setWanted] = useState(size <= SMALL);
  const [found, setFound] = useState(/** @type {Told[] | Error | null} */ (null));
  const limit = Math.min(lost, MOST_ROWS);
  useEffect(() => {
    if (!wanted) return undefined;
    const leaving = new AbortController();
    rowsOf(path, limit, leaving.signal).then(setFound, (error) => leaving.signal.aborted || setFound(error));
    return () => leaving.abort();
  }, [path, limit, wanted]);

  let content;
  if (!wanted) {
    content = [
      h('p', {}, 'Finding them means reading up to ', bytes(size), ' of output.'),
      button('Show the first rows', () => setWanted(true)),
    ];
  } else if (found === null) content = skeleton(4);
  else if (found instanceof Error) content = failure(found);
  else content = tableOf(found);
  return h(
    Card,
    {
      title: 'Rows without an answer',
      note: lost > limit ? `The first ${limit} of ${whole(lost)}` : several(lost, 'row'),
    },
    content,
    h('dl', { class: 'advice' }, advice(cost)),
  );
}

/** @param {Cost} cost */
function advice({ waste, rows }) {
  /** @type {[string, string | null][]} */
  const known = waste.reasons
    .filter(({ kind }) => kind !== 'truncated')
    .map(({ reason }) => [reason, adviceOnRows(reason)]);
  if (rows.malformed) known.push(['Unreadable', 'These lines are not JSON. They are not priced.']);
  if (rows.unrecognized) {
    known.push([
      'Unknown shape',
      'These rows say neither that they failed nor what they answered, so their cost is unknown. The gateway’s log names the first ones.',
    ]);
  }
  return known.map(
    ([reason, text]) =>
      text && h('div', { key: reason }, h('dt', {}, h('code', {}, reason)), h('dd', {}, text)),
  );
}

/** @param {Told[]} rows */
function tableOf(rows) {
  return table(
    'Rows without an answer',
    [
      ['Line', 'number'],
      ['Row', 'wrap'],
      ['Reason', ''],
      ['Message', 'wrap'],
    ],
    rows.map((row) => [
      whole(row.row),
      row.key !== null ? h('code', {}, row.key) : (row.excerpt ?? '—'),
      [h('code', {}, row.reason ?? row.state)],
      row.message ?? '—',
    ]),
  );
}

/**
 * Returns the first rows in these states. Their messages are in the rows themselves, which come in the same order.
 * @param {string} path
 * @param {number} limit
 * @param {AbortSignal} signal
 * @returns {Promise<Told[]>}
 */
async function rowsOf(path, limit, signal) {
  /** @type {import('./api.js').Query} */
  const query = [
    ...STATES.map((state) => /** @type {[string, string]} */ (['state', state])),
    ['limit', limit],
  ];
  const described = await stream(`${path}/results`, [['view', 'usage'], ...query], signal);
  /** @type {Row[]} */
  const rows = linesOf(await described.text()).map((line) => JSON.parse(line));
  const lines = linesOf(await beginning(await stream(`${path}/results`, query, signal)));
  // A file with headers has more lines than rows, so that nothing says which line is which row.
  const pairs = lines.length <= rows.length;
  return rows.map((row, at) => ({
    ...row,
    ...(pairs && at < lines.length ? told(row, lines[at]) : NOTHING),
  }));
}

const NOTHING = { message: null, excerpt: null };

/** @param {string} text */
function linesOf(text) {
  return text.split('\n').filter(Boolean);
}

/**
 * Returns the whole lines at the beginning of an answer: one row may have 32 MiB.
 * @param {Response} answer
 */
async function beginning(answer) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (let read = 0; read < MOST_READ;) {
    const { done, value } = await reader.read();
    if (done) return text;
    read += value.byteLength;
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
  return text.slice(0, text.lastIndexOf('\n') + 1);
}

/**
 * @param {Row} row
 * @param {string} line
 */
function told(row, line) {
  let parsed;
  try {
    parsed = JSON.parse(line);
  } catch {
    return { message: `“${line.slice(0, LONGEST)}”`, excerpt: null };
  }
  // Should the output have changed between the two answers.
  if (row.key !== null && (parsed.key ?? parsed.custom_id) !== row.key) return NOTHING;
  const response = object(parsed.response);
  const message =
    said(parsed.status) ||
    said(parsed.error) ||
    said(response.error) ||
    said(object(response.body).error) ||
    said(object(response.promptFeedback).blockReasonMessage) ||
    said(object(response.candidates?.[0]).finishMessage);
  const parts = object(parsed.request).contents?.[0]?.parts;
  const excerpt = Array.isArray(parts) ? parts.find((part) => typeof part?.text === 'string')?.text : null;
  return { message: message && cut(message, LONGEST), excerpt: excerpt ? `“${cut(excerpt, 80)}”` : null };
}

/**
 * Returns an object, also one that a table holds as text.
 * @param {unknown} value
 * @returns {Record<string, any>}
 */
function object(value) {
  if (typeof value === 'string' && value.startsWith('{')) {
    try {
      return JSON.parse(value);
    } catch {
      return {};
    }
  }
  return typeof value === 'object' && value !== null ? /** @type {any} */ (value) : {};
}

/**
 * Returns the message in an error: of an object, or of a text such as `Bad Request: {"error": {"message": …}}`.
 * @param {any} error
 * @returns {string | null}
 */
function said(error) {
  if (typeof error === 'string') {
    const inner = object(error.slice(error.indexOf('{')));
    return said(inner) ?? (error || null);
  }
  if (typeof error !== 'object' || error === null) return null;
  return typeof error.message === 'string' && error.message ? error.message : said(error.error);
}

/**
 * @param {string} text
 * @param {number} most
 */
function cut(text, most) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
