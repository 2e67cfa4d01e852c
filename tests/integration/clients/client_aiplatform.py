"""google-cloud-aiplatform's BatchPredictionJob, set up by aiplatform.init."""

import walk
from google.cloud import aiplatform
from google.cloud.aiplatform import BatchPredictionJob
from google.oauth2.credentials import Credentials


class Client:
    def __init__(self, location, key):
        self._init = {
            "project": walk.PROJECT,
            "location": location,
            "credentials": Credentials(token=key),
            "api_endpoint": walk.URL,
            "api_transport": "rest",
        }
        self._kept = {}

    def _enter(self):
        """Set everything anew for each call, since init's settings are global."""
        aiplatform.init(**self._init)

    @staticmethod
    def _told(job):
        return {"name": job.resource_name, "state": job.state.name, "displayName": job.display_name}

    def create(self, display_name, input_uri, output_prefix):
        self._enter()
        job = BatchPredictionJob.submit(
            job_display_name=display_name,
            model_name=f"publishers/google/models/{walk.MODEL}",
            gcs_source=input_uri,
            gcs_destination_prefix=output_prefix,
        )
        self._kept[job.resource_name] = job
        return self._told(job)

    def get(self, name):
        self._enter()
        return self._told(BatchPredictionJob(name))

    def pages(self, wanted):
        self._enter()
        yield [job.resource_name for job in BatchPredictionJob.list(filter=wanted or None)]

    def wait(self, name):
        """Waits as the library does, with the object that create returned."""
        self._kept[name].wait_for_completion()
        return self._kept[name].state.name

    def cancel(self, name):
        self._kept[name].cancel()

    def delete(self, name):
        self._kept[name].delete()


if __name__ == "__main__":
    walk.walk(Client, "google-cloud-aiplatform")
