// @google/genai: `client_genai.mjs bearer|api-key`.

import { GoogleGenAI } from '@google/genai';
import { OAuth2Client } from 'google-auth-library';
import { settings, walk } from './walk.mjs';

function connect(location, key) {
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: key });
  const how = process.argv[2] === 'api-key' ? { apiKey: key } : { googleAuthOptions: { authClient } };
  const { batches } = new GoogleGenAI({
    vertexai: true,
    project: settings.project,
    location,
    httpOptions: { baseUrl: settings.url },
    ...how,
  });
  const told = ({ name, state, displayName }) => ({ name, state, displayName });
  return {
    async create(displayName, src, dest) {
      return told(await batches.create({ model: settings.model, src, config: { displayName, dest } }));
    },
    async get(name) {
      return told(await batches.get({ name }));
    },
    async *pages(filter) {
      const pager = await batches.list({ config: { pageSize: 1, ...(filter && { filter }) } });
      yield pager.page.map(job => job.name);
      while (pager.hasNextPage()) yield (await pager.nextPage()).map(job => job.name);
    },
    cancel: name => batches.cancel({ name }),
    delete: name => batches.delete({ name }),
  };
}

await walk(connect);
