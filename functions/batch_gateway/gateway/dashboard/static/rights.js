/** What a key may do. The gateway decides on every call; here it is decided what the page offers. */

/**
 * @typedef {'admin' | 'viewer' | null} Role null: a key that runs jobs
 * @typedef {{runJobs: boolean, administer: boolean, seeOwners: boolean, seeEverything: boolean}} Rights
 *   `runJobs`: upload, create, resume and cancel; `administer`: change keys, teams and prices, and reprice; `seeOwners`:
 *   see other keys and teams, at least its own team's; `seeEverything`: see what all teams have, and the audit trail
 */

/**
 * Returns what a key with a role may do.
 * @param {Role} role
 * @param {string | null} team
 * @returns {Rights}
 */
export function rightsOf(role, team) {
  const administer = role === 'admin';
  const seeEverything = administer || (role === 'viewer' && team === null);
  return { runJobs: role !== 'viewer', administer, seeOwners: role !== null, seeEverything };
}
