/** Calls of the gateway. The key goes in a header, never in an address. */

const HELD = 'batch-gateway-key';
/** JSON numbers that are dollars: they stay the text that they came as, since a float would round them. */
const DOLLARS = new Set(['max_budget', 'soft_budget', 'spend', 'reserved']);

/** An answer that is an error; `reason` is the one that programs go by. */
export class Refusal extends Error {
  constructor(status, message, reason, retryAfter) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

// A browser that forbids storage still works, until the page is reloaded.
function storage(act) {
  try {
    return act(sessionStorage);
  } catch {
    return null;
  }
}

let secret = storage((held) => held.getItem(HELD));

export const key = {
  get known() {
    return secret !== null;
  },
  /** Kept for this tab only: closing it signs out. */
  set(value) {
    secret = value;
    storage((held) => held.setItem(HELD, value));
  },
  forget() {
    secret = null;
    storage((held) => held.clear());
  },
};

async function call(method, path, { query, body, signal } = {}) {
  const search = query ? `?${new URLSearchParams(query)}` : '';
  const headers = { Authorization: `Bearer ${secret}` };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(path + search, { method, headers, body, signal, cache: 'no-store' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refusal(0, 'The gateway cannot be reached.', 'OFFLINE', null);
  }
  if (answer.ok) return answer;
  const error = await refusal(answer);
  if (['API_KEY_INVALID', 'API_KEY_MISSING'].includes(error.reason)) {
    dispatchEvent(new CustomEvent('keyrefused', { detail: error.message }));
  }
  throw error;
}

async function refusal(answer) {
  const after = Number(answer.headers.get('Retry-After')) || null;
  let error = null;
  try {
    error = (await answer.json()).error;
  } catch {
    // A proxy's own page: the status is all that it says.
  }
  const detail = error?.details?.find((each) => each.reason);
  const message = error?.message ?? `The gateway answered HTTP ${answer.status}.`;
  return new Refusal(answer.status, message, detail?.reason ?? null, after);
}

function withExactDollars(name, value, context) {
  if (typeof value !== 'number' || !DOLLARS.has(name)) return value;
  return plain(context?.source ?? String(value));
}

/** "2.5E-7" as the digits that it stands for. */
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

async function json(answer) {
  return JSON.parse(await answer.text(), withExactDollars);
}

export async function get(path, query, signal) {
  return json(await call('GET', path, { query, signal }));
}

export async function post(path, body, signal) {
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? {});
  return json(await call('POST', path, { body: text, signal }));
}

/** A file, and the name that the gateway gives it. */
export async function file(path, query) {
  const answer = await call('GET', path, { query });
  const name = /filename="([^"]+)"/.exec(answer.headers.get('Content-Disposition') ?? '')?.[1];
  return { blob: await answer.blob(), name: name ?? 'costs.csv' };
}

/** Who the key is: {admin, alias, team, info}. */
export async function whoAmI(signal) {
  try {
    const { info, team } = await get('/key/info', undefined, signal);
    return { admin: false, alias: info.key_alias, team: info.team_id, limits: [info, team].filter(Boolean) };
  } catch (error) {
    // A key that is let in and is no key on record is the master key.
    if (error.reason !== 'KEY_UNKNOWN') throw error;
    return { admin: true, alias: 'Administrator', team: null, limits: [] };
  }
}

/** All items of a paged list, up to a limit: {items, more}. */
export async function jobsUpTo(most, query, signal) {
  const items = [];
  let page = null;
  do {
    const limit = Math.min(500, most - items.length);
    const answer = await get(
      '/v1/jobs',
      [...query, ['limit', limit], ...(page ? [['page', page]] : [])],
      signal,
    );
    items.push(...answer.data);
    page = answer.next_page;
  } while (page && items.length < most);
  return { items, more: page !== null };
}

/** All buckets of a call for costs, page after page. */
export async function costs(query, signal) {
  const buckets = [];
  let page = null;
  do {
    const answer = await get('/v1/costs', page ? [...query, ['page', page]] : query, signal);
    buckets.push(...answer.data);
    page = answer.next_page;
  } while (page);
  return buckets;
}

export function pathOf(job) {
  return `/v1/projects/${job.project}/locations/${job.location}/batchPredictionJobs/${job.id}`;
}

const PAGE = 100;

/** All teams, by id. */
export async function everyTeam(signal) {
  const found = [];
  for (let page = 1; ; page += 1) {
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
