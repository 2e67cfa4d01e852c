"""vertexai.batch_prediction, set up by vertexai.init."""

import vertexai
import walk
from google.oauth2.credentials import Credentials
from vertexai.batch_prediction import BatchPredictionJob


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
        vertexai.init(**self._init)

    @staticmethod
    def _told(job):
        return {"name": job.resource_name, "state": job.state.name, "displayName": job.display_name}

    def create(self, display_name, input_uri, output_prefix):
        self._enter()
        job = BatchPredictionJob.submit(
            source_model=walk.MODEL,
            input_dataset=input_uri,
            output_uri_prefix=output_prefix,
            job_display_name=display_name,
        )
        self._kept[job.resource_name] = job
        return self._told(job)

    def get(self, name):
        self._enter()
        job = self._kept.get(name)
        return self._told(job.refresh() if job else BatchPredictionJob(name))

    def pages(self, wanted):
        self._enter()
        yield [job.resource_name for job in BatchPredictionJob.list(filter=wanted or None)]

    def cancel(self, name):
        self._kept[name].cancel()

    def delete(self, name):
        self._kept[name].delete()


if __name__ == "__main__":
    walk.walk(Client, "google-cloud-aiplatform")
