// @google-cloud/aiplatform over REST: `client_aiplatform.mjs v1|v1beta1`.

import aiplatform from '@google-cloud/aiplatform';
import { OAuth2Client } from 'google-auth-library';
import { settings, walk } from './walk.mjs';

function connect(location, key) {
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: key });
  const { hostname, port, protocol } = new URL(settings.url);
  const client = new aiplatform[process.argv[2]].JobServiceClient({
    fallback: 'rest',
    apiEndpoint: hostname,
    port: Number(port),
    protocol: protocol.slice(0, -1),
    authClient,
  });
  const parent = `projects/${settings.project}/locations/${location}`;
  const told = ({ name, state, displayName }) => ({ name, state, displayName });
  return {
    async create(displayName, uri, outputUriPrefix) {
      const [job] = await client.createBatchPredictionJob({
        parent,
        batchPredictionJob: {
          displayName,
          model: `publishers/google/models/${settings.model}`,
          inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: [uri] } },
          outputConfig: { predictionsFormat: 'jsonl', gcsDestination: { outputUriPrefix } },
        },
      });
      return told(job);
    },
    async get(name) {
      return told((await client.getBatchPredictionJob({ name }))[0]);
    },
    async *pages(filter) {
      let request = { parent, filter, pageSize: 1 };
      while (request) {
        const [jobs, next] = await client.listBatchPredictionJobs(request, { autoPaginate: false });
        yield jobs.map(job => job.name);
        request = next;
      }
    },
    cancel: name => client.cancelBatchPredictionJob({ name }),
    delete: name => client.deleteBatchPredictionJob({ name }),
  };
}

await walk(connect);
