/** Numbers, times and states for people; the exact value is in the title. */

import { h } from './dom.js';
import { knownNano } from './money.js';
import { shifted, zoneName } from './preferences.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const WHOLE = new Intl.NumberFormat('en-US');
const COMPACT = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });
const MOMENT = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });
const SHORT_DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short', timeZone: 'UTC' });

/**
 * JobState's names for people, with the tone that they are shown in.
 * @type {Record<string, [string, string]>}
 */
const STATES = {
  JOB_STATE_QUEUED: ['Queued', 'idle'],
  JOB_STATE_PENDING: ['Pending', 'idle'],
  JOB_STATE_RUNNING: ['Running', 'run'],
  JOB_STATE_SUCCEEDED: ['Succeeded', 'good'],
  JOB_STATE_FAILED: ['Failed', 'bad'],
  JOB_STATE_CANCELLING: ['Cancelling', 'warn'],
  JOB_STATE_CANCELLED: ['Cancelled', 'warn'],
  JOB_STATE_PAUSED: ['Paused', 'idle'],
  JOB_STATE_EXPIRED: ['Expired', 'bad'],
  JOB_STATE_UPDATING: ['Updating', 'run'],
  JOB_STATE_PARTIALLY_SUCCEEDED: ['Partly succeeded', 'warn'],
};
export const UNDER_WAY = ['QUEUED', 'PENDING', 'RUNNING', 'CANCELLING', 'PAUSED', 'UPDATING'].map(
  (name) => `JOB_STATE_${name}`,
);
/** Control characters, and marks of direction (Unicode's Bidi_Control). */
const UNSEEN = /[\p{Cc}\p{Bidi_Control}]/gu;
export const STATE_NAMES = Object.keys(STATES);

/** @typedef {import('./api.js').Job} Job */

/** @param {string} state */
export function stateText(state) {
  return STATES[state]?.[0] ?? state.replace('JOB_STATE_', '').toLowerCase();
}

/** @param {string} state */
export function stateTone(state) {
  return STATES[state]?.[1] ?? 'idle';
}

/** @param {string} state */
export function badge(state) {
  return h('span', { class: `badge ${stateTone(state)}` }, stateText(state));
}

/**
 * Returns a name that somebody chose, for where no element can be; characters that are not seen, such as those that turn
 * the direction of writing, are "\uFFFD".
 * @param {string} text
 */
export function visible(text) {
  return text.replace(UNSEEN, '\uFFFD');
}

/**
 * Returns the same as an element; its direction of writing does not turn what is around it.
 * @param {string} text
 */
export function named(text) {
  return h('bdi', {}, visible(text));
}

/**
 * Returns what a job has cost so far; null while no output is settled, when the API's 0 says nothing.
 * @param {{status: string, amount: string}} job
 */
export function costSoFar(job) {
  return job.status === 'PENDING' ? null : knownNano(job.amount);
}

/**
 * Returns a number, short from ten thousand on.
 * @param {number | null | undefined} value
 */
export function count(value) {
  if (value === null || value === undefined) return h('span', { class: 'unknown', title: 'Not known' }, '—');
  const text = value < 10_000 ? WHOLE.format(value) : COMPACT.format(value);
  return h('span', { title: WHOLE.format(value) }, text);
}

/** @param {number} value */
export function whole(value) {
  return WHOLE.format(value);
}

/**
 * Returns "1 job", "2 jobs".
 * @param {number} number
 * @param {string} thing
 */
export function several(number, thing) {
  return `${WHOLE.format(number)} ${thing}${number === 1 ? '' : 's'}`;
}

/** @param {number} value */
export function bytes(value) {
  /** @type {[string, number]} */
  const unit =
    value >= 1e9 ? ['GB', 1e9] : value >= 1e6 ? ['MB', 1e6] : value >= 1e3 ? ['kB', 1e3] : ['B', 1];
  const shown = value / unit[1];
  const text = shown < 10 && unit[1] > 1 ? shown.toFixed(1) : Math.round(shown);
  return h('span', { title: `${whole(value)} bytes` }, `${text} ${unit[0]}`);
}

/**
 * Returns a length of time: "3 min", "5 h 12 min", "2 d 4 h".
 * @param {number} milliseconds
 */
export function lasting(milliseconds) {
  const passed = Math.max(0, milliseconds);
  if (passed < MINUTE) return `${Math.round(passed / 1000)} s`;
  if (passed < HOUR) return `${Math.floor(passed / MINUTE)} min`;
  if (passed < DAY) return joined(passed, HOUR, 'h', MINUTE, 'min');
  return joined(passed, DAY, 'd', HOUR, 'h');
}

/**
 * @param {number} passed
 * @param {number} large
 * @param {string} largeName
 * @param {number} small
 * @param {string} smallName
 */
function joined(passed, large, largeName, small, smallName) {
  const rest = Math.floor((passed % large) / small);
  return `${Math.floor(passed / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ''}`;
}

/**
 * Returns how long ago, in one unit, for narrow columns.
 * @param {string} time
 */
export function age(time) {
  const passed = Math.max(0, Date.now() - Date.parse(time));
  /** @type {[number, string]} */
  const [unit, name] =
    passed < MINUTE ? [1000, 's'] : passed < HOUR ? [MINUTE, 'min'] : passed < DAY ? [HOUR, 'h'] : [DAY, 'd'];
  return h('time', { datetime: time, title: exactTime(time) }, `${Math.floor(passed / unit)} ${name}`);
}

/**
 * Returns a time in the page's zone, which the header names.
 * @param {string} time
 */
export function moment(time) {
  return h('time', { datetime: time, title: exactTime(time) }, MOMENT.format(shifted(Date.parse(time))));
}

/**
 * Returns the same for narrow columns: "27 Nov 14:05".
 * @param {string} time
 */
export function shortMoment(time) {
  const at = shifted(Date.parse(time));
  return h('time', { datetime: time, title: exactTime(time) }, `${SHORT_DAY.format(at)} ${CLOCK.format(at)}`);
}

/** @param {string} time */
export function exactTime(time) {
  const there = zoneName() === 'UTC' ? '' : ` (${MOMENT.format(shifted(Date.parse(time)))} ${zoneName()})`;
  return `${time}${there}`;
}

/**
 * Returns a bar of parts of a whole, in percent. What it says must stand in words beside it.
 * @param {[number, string][]} parts
 * @param {string} label
 */
export function bar(parts, label) {
  let left = 100;
  const drawn = parts.map(([percent, kind]) => {
    const width = Math.min(left, Math.max(0, percent));
    left -= width;
    return h('span', { class: kind, style: { '--width': `${width}%` } });
  });
  return h('div', { class: 'bar', role: 'img', 'aria-label': label }, drawn);
}

/**
 * Returns how far a job is: a bar and its figures, or why there are none.
 * @param {{state: string, progress: {completed: number | null, total: number | null}}} job
 */
export function progress(job) {
  const { completed, total } = job.progress;
  if (completed === null || !total) {
    const text = completed === null ? '—' : several(completed, 'row');
    return h('span', { class: 'muted', title: 'Vertex AI has not said how many rows there are' }, text);
  }
  const percent = Math.floor((completed / total) * 100);
  const label = `${whole(completed)} of ${whole(total)} rows, ${percent} %`;
  const tone = UNDER_WAY.includes(job.state) ? 'run' : stateTone(job.state);
  return h(
    'span',
    { class: 'progress', title: label },
    bar([[percent, tone]], label),
    h('span', { class: 'figure' }, `${percent} %`),
  );
}

/**
 * Returns [name, value] pairs for "environment=production" chips, without the gateway's own marks.
 * @param {{labels: Record<string, string>}} job
 */
export function labelsOf(job) {
  const own = ['team', 'api_key', 'gateway_submission'];
  return Object.entries(job.labels).filter(([name]) => !own.includes(name));
}
