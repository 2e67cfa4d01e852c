/** Numbers, times and states for people; the exact value is what a pointer gets to see on top of them. */

import { h } from './dom.js';
import { exactUsd, nano, shortUsd } from './money.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const WHOLE = new Intl.NumberFormat('en-US');
const COMPACT = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });
const LOCAL = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/** JobState's names for people, with the tone that they are shown in. */
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
export const STATE_NAMES = Object.keys(STATES);

export function stateText(state) {
  return STATES[state]?.[0] ?? state.replace('JOB_STATE_', '').toLowerCase();
}

export function stateTone(state) {
  return STATES[state]?.[1] ?? 'idle';
}

export function badge(state) {
  return h('span', { class: `badge ${stateTone(state)}` }, stateText(state));
}

/** What a job has cost so far; null while no output is settled, when the 0 of the API's says nothing. */
export function costSoFar(job) {
  return job.status === 'PENDING' ? null : nano(job.amount);
}

/** An amount with all its digits on hover; null is what nobody knows. */
export function money(amount, { floor = false, kind = '' } = {}) {
  if (amount === null) return h('span', { class: 'unknown', title: 'Not known' }, '—');
  const least = floor ? 'At least: some usage has no price or could not be read, or more may come. ' : '';
  return h(
    'span',
    { class: `money ${kind}`, title: `${least}${exactUsd(amount)}` },
    floor && '≥ ',
    shortUsd(amount),
  );
}

/** A number, short from ten thousand on, with all its digits on hover. */
export function count(value) {
  if (value === null || value === undefined) return h('span', { class: 'unknown', title: 'Not known' }, '—');
  return h(
    'span',
    { title: WHOLE.format(value) },
    value < 10_000 ? WHOLE.format(value) : COMPACT.format(value),
  );
}

export function whole(value) {
  return WHOLE.format(value);
}

export function bytes(value) {
  const unit =
    value >= 1e9 ? ['GB', 1e9] : value >= 1e6 ? ['MB', 1e6] : value >= 1e3 ? ['kB', 1e3] : ['B', 1];
  const shown = value / unit[1];
  const text = shown < 10 && unit[1] > 1 ? shown.toFixed(1) : Math.round(shown);
  return h('span', { title: `${whole(value)} bytes` }, `${text} ${unit[0]}`);
}

/** "3 min", "5 h 12 min", "2 d 4 h". */
export function lasting(milliseconds) {
  const passed = Math.max(0, milliseconds);
  if (passed < MINUTE) return `${Math.round(passed / 1000)} s`;
  if (passed < HOUR) return `${Math.floor(passed / MINUTE)} min`;
  if (passed < DAY) return joined(passed, HOUR, 'h', MINUTE, 'min');
  return joined(passed, DAY, 'd', HOUR, 'h');
}

function joined(passed, large, largeName, small, smallName) {
  const rest = Math.floor((passed % large) / small);
  return `${Math.floor(passed / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ''}`;
}

/** How long ago, in one unit, for narrow columns. */
export function age(time) {
  const passed = Math.max(0, Date.now() - Date.parse(time));
  const [unit, name] =
    passed < MINUTE ? [1000, 's'] : passed < HOUR ? [MINUTE, 'min'] : passed < DAY ? [HOUR, 'h'] : [DAY, 'd'];
  return h('time', { datetime: time, title: exactTime(time) }, `${Math.floor(passed / unit)} ${name}`);
}

export function moment(time) {
  return h('time', { datetime: time, title: exactTime(time) }, LOCAL.format(new Date(time)));
}

export function exactTime(time) {
  return `${time} (here ${new Date(time).toLocaleString('en-GB')})`;
}

/** A bar of parts of a whole, in percent. What it says must stand in words beside it. */
export function bar(parts, label) {
  let left = 100;
  const drawn = parts.map(([percent, kind]) => {
    const width = Math.min(left, Math.max(0, percent));
    left -= width;
    return h('span', { class: kind, style: { '--width': `${width}%` } });
  });
  return h('div', { class: 'bar', role: 'img', 'aria-label': label }, drawn);
}

/** How far a job is: a bar and its figures, or why there are none. */
export function progress(job) {
  const { completed, total } = job.progress;
  if (completed === null || !total) {
    const text = completed === null ? '—' : `${whole(completed)} rows`;
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

/** [name, value] pairs for "environment=production" chips, without the gateway's own marks. */
export function labelsOf(job) {
  const own = ['team', 'api_key', 'gateway_submission'];
  return Object.entries(job.labels).filter(([name]) => !own.includes(name));
}
