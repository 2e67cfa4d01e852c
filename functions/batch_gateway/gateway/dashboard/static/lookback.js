/** What went wrong in a range of time, and what that cost. */

import { jobsUpTo } from './api.js';
import { h } from './dom.js';
import { age, badge, costSoFar, count, money, whole } from './format.js';
import { nano, percentOf, sum } from './money.js';
import { empty } from './parts.js';
import { seconds, startOf } from './periods.js';
import { linked } from './running.js';

const MOST_JOBS = 2000;
const MOST_FAILURES = 5;
const UNFINISHED = ['JOB_STATE_FAILED', 'JOB_STATE_CANCELLED', 'JOB_STATE_EXPIRED'];
const WRONG = ['JOB_STATE_FAILED', 'JOB_STATE_EXPIRED', 'JOB_STATE_PARTIALLY_SUCCEEDED'];

export async function lookBack(waste, failures, range, filter, signal) {
  const query = [['start_time', seconds(startOf(range, new Date()))], ...filter];
  const { items, more } = await jobsUpTo(MOST_JOBS, query, signal);
  showWaste(waste, items, more);
  showFailures(failures, items);
}

function showFailures(shown, items) {
  const failed = items.filter((job) => WRONG.includes(job.state)).slice(0, MOST_FAILURES);
  if (!failed.length) {
    shown.fill(empty('Nothing went wrong', 'Jobs that fail, expire or succeed in part are listed here.'));
    return;
  }
  shown.fill(
    h(
      'ul',
      { class: 'running' },
      failed.map((job) =>
        h(
          'li',
          { class: 'wrong' },
          h(
            'div',
            { class: 'what' },
            linked(job),
            h('span', { class: 'muted' }, job.error?.message ?? rowsLost(job)),
          ),
          badge(job.state),
          h('div', { class: 'cost' }, money(costSoFar(job)), h('small', {}, age(job.createTime), ' ago')),
        ),
      ),
    ),
  );
}

function rowsLost(job) {
  const lost = job.rows.failed + job.rows.malformed;
  return lost ? `${whole(lost)} rows failed` : 'Vertex AI gave no reason';
}

function showWaste(shown, items, more) {
  const ended = items.filter((job) => UNFINISHED.includes(job.state));
  const total = sum(items.map((job) => nano(job.amount)));
  const lost = sum(ended.map((job) => nano(job.amount)));
  const floor = ended.some((job) => job.status === 'PENDING');
  // Of jobs that ended well; what the others wasted is among what they cost.
  const wasted = sum(items.filter((job) => !ended.includes(job)).map((job) => nano(job.wasted)));
  const failedRows = items.reduce((rows, job) => rows + job.rows.failed, 0);
  const row = (name, value, help, link) =>
    h('div', { title: help }, h('dt', {}, link ? h('a', { href: link }, name) : name), h('dd', {}, value));
  const share = (amount) =>
    total ? h('small', { class: 'muted' }, `${percentOf(amount, total).toFixed(1)} %`) : null;
  shown.fill(
    h(
      'dl',
      { class: 'pairs' },
      row(
        'Spent on jobs that did not finish',
        [money(lost, { floor }), share(lost)],
        'What failed, cancelled and expired jobs cost',
      ),
      row(
        'Spent on blocked or cut-off answers',
        [money(wasted), share(wasted)],
        'Rows stopped by safety filters or by maxOutputTokens, in jobs that did finish',
      ),
      row(
        'Jobs that failed or expired',
        count(ended.filter((job) => job.state !== 'JOB_STATE_CANCELLED').length),
        'In this range',
        '#/jobs?state=JOB_STATE_FAILED',
      ),
      row('Rows that failed', count(failedRows), 'Vertex AI charges nothing for them'),
    ),
    more && h('p', { class: 'help' }, `Of the latest ${whole(MOST_JOBS)} jobs; there are more.`),
  );
}
