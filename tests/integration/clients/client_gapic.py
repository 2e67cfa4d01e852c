"""google-cloud-aiplatform's JobServiceClient over REST: `client_gapic.py v1|v1beta1 bearer|api-key`."""

import importlib
import sys

import walk
from google.oauth2.credentials import Credentials


class Client:
    def __init__(self, client, types, location):
        self._client = client
        self._types = types
        self._parent = f"projects/{walk.PROJECT}/locations/{location}"

    @staticmethod
    def _told(job):
        return {"name": job.name, "state": job.state.name, "displayName": job.display_name}

    def create(self, display_name, input_uri, output_prefix):
        types = self._types
        job = types.BatchPredictionJob(
            display_name=display_name,
            model=f"publishers/google/models/{walk.MODEL}",
            input_config=types.BatchPredictionJob.InputConfig(
                instances_format="jsonl", gcs_source=types.GcsSource(uris=[input_uri])
            ),
            output_config=types.BatchPredictionJob.OutputConfig(
                predictions_format="jsonl",
                gcs_destination=types.GcsDestination(output_uri_prefix=output_prefix),
            ),
        )
        return self._told(
            self._client.create_batch_prediction_job(parent=self._parent, batch_prediction_job=job)
        )

    def get(self, name):
        return self._told(self._client.get_batch_prediction_job(name=name))

    def pages(self, wanted):
        request = {"parent": self._parent, "filter": wanted, "page_size": 1}
        for page in self._client.list_batch_prediction_jobs(request).pages:
            yield [job.name for job in page.batch_prediction_jobs]

    def cancel(self, name):
        self._client.cancel_batch_prediction_job(name=name)

    def delete(self, name):
        self._client.delete_batch_prediction_job(name=name).result(timeout=120)


def main(version, key_in):
    library = importlib.import_module(f"google.cloud.aiplatform_{version}")  # each takes a second

    def connect(location, key):
        options = {"api_endpoint": walk.URL}
        credentials = None
        if key_in == "api-key":
            options["api_key"] = key
        else:
            credentials = Credentials(token=key)
        client = library.JobServiceClient(transport="rest", credentials=credentials, client_options=options)
        return Client(client, library.types, location)

    walk.walk(connect, "google-cloud-aiplatform")


if __name__ == "__main__":
    main(*sys.argv[1:])
