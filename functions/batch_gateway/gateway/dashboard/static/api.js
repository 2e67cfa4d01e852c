/** Calls of the gateway. The key goes in a header, never in an address. */

import { rightsOf } from './rights.js';
import { secretOf } from './secret.js';

/** JSON numbers that are dollars: they stay the text that they came as, since a float would round them. */
const DOLLARS = new Set(['max_budget', 'soft_budget', 'spend', 'reserved']);

/**
 * @typedef {[string, string | number][]} Query
 * @typedef {{succeeded: number, failed: number, malformed: number, unrecognized: number, unpriced: number,
 *   carriedOver: number}} Rows
 * @typedef {{kind: 'failed' | 'blocked' | 'truncated', reason: string, rows: number, amount: string | null}} WasteReason
 * @typedef {{
 *   id: string, project: string, location: string, name: string, displayName: string, state: string,
 *   status: string, model: string, team: string | null, apiKey: string | null, labels: Record<string, string>,
 *   amount: string, complete: boolean, wasted: string, wasteReasons: WasteReason[], rows: Rows, projected: string | null,
 *   estimate: {low: string | null, expected: string | null, high: string | null} | null,
 *   progress: {completed: number | null, total: number | null}, createTime: string, startTime: string | null,
 *   endTime: string | null, error: {message?: string} | null,
 * }} Job a job of `/v1/jobs`
 * @typedef {{amount: {value: string}, unpriced: boolean, model: string | null, team: string | null,
 *   api_key: string | null, labels: Record<string, string> | null}} CostResult
 * @typedef {{start_time: number, end_time: number, results: CostResult[]}} Bucket
 * @typedef {{team_id: string, team_alias: string | null, key_alias?: string, key_name?: string, token?: string,
 *   role?: import('./rights.js').Role, models: string[], projects: string[], locations: string[],
 *   allowed_uri_prefixes: string[], rpm_limit: number | null, default_labels: Record<string, string>,
 *   required_labels: string[], blocked: boolean, expires?: string | null, created_at: string,
 *   webhook_url?: string | null, metadata?: Record<string, unknown>, max_budget: string | null,
 *   soft_budget: string | null, budget_duration: string | null, spend?: string | null, reserved?: string | null,
 *   budget_reset_at?: string | null}} Owner a team, or a key if it has a `key_alias`
 * @typedef {{alias: string, team: string | null, may: import('./rights.js').Rights, limits: Owner[]}} Who whose key it is;
 *   `limits`: the key and its team, as far as they are on record
 */

/** An answer that is an error; `reason` is the one that programs go by. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {string | null} reason
   * @param {number | null} retryAfter
   */
  constructor(status, message, reason, retryAfter) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{query?: Query, body?: BodyInit, type?: string, once?: string, signal?: AbortSignal}} options `once`: however
 *   often it is called with that, it is done once
 */
async function call(method, path, { query, body, type = 'application/json', once, signal } = {}) {
  const search = query ? `?${new URLSearchParams(query.map(([name, value]) => [name, String(value)]))}` : '';
  /** @type {Record<string, string>} */
  const headers = { Authorization: `Bearer ${secretOf()}` };
  if (body !== undefined) headers['Content-Type'] = type;
  if (once) headers['Idempotency-Key'] = once;
  let answer;
  try {
    answer = await fetch(path + search, { method, headers, body, signal, cache: 'no-store' });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(0, 'The gateway cannot be reached.', 'OFFLINE', null);
  }
  if (answer.ok) return answer;
  const error = await refusal(answer);
  if (['API_KEY_INVALID', 'API_KEY_MISSING'].includes(error.reason ?? '')) {
    dispatchEvent(new CustomEvent('keyrefused', { detail: error.message }));
  }
  if (['ADMIN_ONLY', 'READ_ONLY_KEY'].includes(error.reason ?? '')) dispatchEvent(new Event('rolerefused'));
  throw error;
}

/** @param {Response} answer */
async function refusal(answer) {
  const after = Number(answer.headers.get('Retry-After')) || null;
  let error = null;
  try {
    error = (await answer.json()).error;
  } catch {
    // A proxy's own page: the status is all that it says.
  }
  const detail = error?.details?.find((/** @type {{reason?: string}} */ each) => each.reason);
  const message = error?.message ?? `The gateway answered HTTP ${answer.status}.`;
  return new Refusal(answer.status, message, detail?.reason ?? null, after);
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {{source?: string}} [context]
 */
function withExactDollars(name, value, context) {
  if (typeof value !== 'number' || !DOLLARS.has(name)) return value;
  return plain(context?.source ?? String(value));
}

/**
 * Returns "2.5E-7" as the digits that it stands for.
 * @param {string} number
 */
function plain(number) {
  const [mantissa, exponent = '0'] = number.toLowerCase().split('e');
  const [units, fraction = ''] = mantissa.split('.');
  const digits = units + fraction;
  const point = units.length + Number(exponent);
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`;
  return point >= digits.length
    ? digits.padEnd(point, '0')
    : `${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** @param {Response} answer */
async function json(answer) {
  return JSON.parse(await answer.text(), /** @type {any} */ (withExactDollars));
}

/**
 * @param {string} path
 * @param {Query} [query]
 * @param {AbortSignal} [signal]
 */
export async function get(path, query, signal) {
  return json(await call('GET', path, { query, signal }));
}

/**
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} [signal]
 */
export async function post(path, body, signal) {
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? {});
  return json(await call('POST', path, { body: text, signal }));
}

/**
 * @param {string} path
 * @param {unknown} body
 */
export async function put(path, body) {
  return json(await call('PUT', path, { body: JSON.stringify(body) }));
}

/** @param {string} path */
export async function remove(path) {
  await call('DELETE', path);
}

/**
 * Estimates or creates a job.
 * @param {string} path
 * @param {object} body
 * @param {string} [once]
 */
export async function create(path, body, once) {
  return json(await call('POST', path, { body: JSON.stringify(body), once }));
}

/**
 * Stores a file of input.
 * @param {string} name
 * @param {File} file
 * @returns {Promise<{uri: string, outputUriPrefix?: string}>}
 */
export async function store(name, file) {
  return json(
    await call('POST', '/v1/inputs', { query: [['name', name]], body: file, type: 'application/jsonl' }),
  );
}

/**
 * Returns an answer whose body is not read yet.
 * @param {string} path
 * @param {Query} query
 * @param {AbortSignal} signal
 */
export async function stream(path, query, signal) {
  return call('GET', path, { query, signal });
}

/**
 * Returns a file, and the name that the gateway gives it.
 * @param {string} path
 * @param {Query} query
 */
export async function file(path, query) {
  const answer = await call('GET', path, { query });
  const name = /filename="([^"]+)"/.exec(answer.headers.get('Content-Disposition') ?? '')?.[1];
  return { blob: await answer.blob(), name: name ?? 'costs.csv' };
}

/**
 * Returns who the key stands for.
 * @param {AbortSignal} [signal]
 * @returns {Promise<Who>}
 */
export async function whoAmI(signal) {
  try {
    const { info, team } = await get('/key/info', undefined, signal);
    const limits = [info, team].filter(Boolean);
    const may = rightsOf(info.role, info.team_id);
    return { alias: info.key_alias, team: info.team_id, may, limits };
  } catch (error) {
    // A key that is let in and is no key on record is the master key.
    if (!(error instanceof Refusal) || error.reason !== 'KEY_UNKNOWN') throw error;
    return { alias: 'Administrator', team: null, may: rightsOf('admin', null), limits: [] };
  }
}

/**
 * Returns jobs, the newest first, up to a number of them.
 * @param {number} most
 * @param {Query} query
 * @param {AbortSignal} signal
 * @returns {Promise<{items: Job[], more: boolean}>}
 */
export async function jobsUpTo(most, query, signal) {
  /** @type {Job[]} */
  const items = [];
  let page = null;
  do {
    const limit = Math.min(500, most - items.length);
    /** @type {Query} */
    const further = page ? [['page', page]] : [];
    /** @type {{data: Job[], next_page: string | null}} */
    const answer = await get('/v1/jobs', [...query, ['limit', limit], ...further], signal);
    items.push(...answer.data);
    page = answer.next_page;
  } while (page && items.length < most);
  return { items, more: page !== null };
}

/**
 * Returns jobs in any of some states, the newest first. Each state is asked for by itself, which an index covers.
 * @param {string[]} states
 * @param {number} most of a state
 * @param {Query} query
 * @param {AbortSignal} signal
 */
export async function jobsIn(states, most, query, signal) {
  const found = await Promise.all(
    states.map((state) => jobsUpTo(most, [...query, ['state', state]], signal)),
  );
  return {
    items: found
      .flatMap(({ items }) => items)
      .sort((one, other) => (one.createTime < other.createTime ? 1 : -1)),
    more: found.some(({ more }) => more),
  };
}

/**
 * Returns all buckets of a call for costs, page after page.
 * @param {Query} query
 * @param {AbortSignal} signal
 * @returns {Promise<Bucket[]>}
 */
export async function costs(query, signal) {
  /** @type {Bucket[]} */
  const buckets = [];
  let page = null;
  do {
    /** @type {{data: Bucket[], next_page: string | null}} */
    const answer = await get('/v1/costs', page ? [...query, ['page', page]] : query, signal);
    buckets.push(...answer.data);
    page = answer.next_page;
  } while (page);
  return buckets;
}

const PAGE = 100;

/**
 * Returns all teams, by id.
 * @param {AbortSignal} signal
 * @returns {Promise<Owner[]>}
 */
export async function everyTeam(signal) {
  const found = [];
  for (let page = 1; ; page += 1) {
    /** @type {Owner[]} */
    const teams = await get(
      '/team/list',
      [
        ['page', page],
        ['size', PAGE],
      ],
      signal,
    );
    found.push(...teams);
    if (teams.length < PAGE) return found;
  }
}

/**
 * Returns all keys that have not expired, of a team if one is given.
 * @param {string | null} team
 * @param {AbortSignal} signal
 * @returns {Promise<Owner[]>}
 */
export async function everyKey(team, signal) {
  /** @type {Owner[]} */
  const found = [];
  /** @type {Query} */
  const of = team ? [['team_id', team]] : [];
  let pages = 1;
  for (let page = 1; page <= pages; page += 1) {
    const answer = await get('/key/list', [['page', page], ['size', PAGE], ...of], signal);
    found.push(...answer.keys);
    pages = answer.total_pages;
  }
  return found.filter((key) => !key.expires || Date.parse(key.expires) > Date.now());
}
