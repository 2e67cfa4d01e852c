"""google-api-python-client with the discovery document that it brings: `client_discovery.py v1|v1beta1`."""

import sys
import time

import walk
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build


class Client:
    def __init__(self, service, location):
        places = service.projects().locations()
        self._jobs = places.batchPredictionJobs()
        self._operations = places.operations()
        self._parent = f"projects/{walk.PROJECT}/locations/{location}"

    @staticmethod
    def _told(job):
        return {"name": job["name"], "state": job["state"], "displayName": job["displayName"]}

    def create(self, display_name, input_uri, output_prefix):
        body = {
            "displayName": display_name,
            "model": f"publishers/google/models/{walk.MODEL}",
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [input_uri]}},
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": output_prefix},
            },
        }
        return self._told(self._jobs.create(parent=self._parent, body=body).execute())

    def get(self, name):
        return self._told(self._jobs.get(name=name).execute())

    def pages(self, wanted):
        request = self._jobs.list(parent=self._parent, filter=wanted, pageSize=1)
        while request is not None:
            answer = request.execute()
            yield [job["name"] for job in answer.get("batchPredictionJobs", [])]
            request = self._jobs.list_next(request, answer)

    def cancel(self, name):
        self._jobs.cancel(name=name, body={}).execute()

    def delete(self, name):
        operation = self._jobs.delete(name=name).execute()
        while not operation.get("done"):
            time.sleep(0.1)
            operation = self._operations.get(name=operation["name"]).execute()


def main(version):
    def connect(location, key):
        service = build(
            "aiplatform",
            version,
            credentials=Credentials(token=key),
            client_options={"api_endpoint": walk.URL},
            static_discovery=True,
        )
        return Client(service, location)

    walk.walk(connect, "google-api-python-client")


if __name__ == "__main__":
    main(*sys.argv[1:])
