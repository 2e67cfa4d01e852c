"""google-genai, synchronous or asynchronous: `client_genai.py sync|async bearer|api-key`."""

import asyncio
import inspect
import sys

import walk
from google import genai
from google.genai.types import HttpOptions
from google.oauth2.credentials import Credentials


class Client:
    """Calls `client.batches` or `client.aio.batches`, whichever it is given."""

    loop = asyncio.new_event_loop()

    def __init__(self, batches):
        self._batches = batches

    def _result(self, value):
        return self.loop.run_until_complete(value) if inspect.isawaitable(value) else value

    @staticmethod
    def _told(job):
        return {"name": job.name, "state": job.state.value, "displayName": job.display_name}

    def create(self, display_name, input_uri, output_prefix):
        config = {"display_name": display_name, "dest": output_prefix}
        return self._told(self._result(self._batches.create(model=walk.MODEL, src=input_uri, config=config)))

    def get(self, name):
        return self._told(self._result(self._batches.get(name=name)))

    def pages(self, wanted):
        config = {"page_size": 1} | ({"filter": wanted} if wanted else {})
        pager = self._result(self._batches.list(config=config))
        while True:
            yield [job.name for job in pager.page]
            try:
                self._result(pager.next_page())
            except IndexError:
                return

    def cancel(self, name):
        self._result(self._batches.cancel(name=name))

    def delete(self, name):
        self._result(self._batches.delete(name=name))


def main(mode, key_in):
    def connect(location, key):
        how = {"api_key": key} if key_in == "api-key" else {"credentials": Credentials(token=key)}
        client = genai.Client(
            vertexai=True,
            project=walk.PROJECT,
            location=location,
            http_options=HttpOptions(base_url=walk.URL),
            **how,
        )
        connect.kept.append(client)  # a client that is collected closes its connections
        return Client(client.aio.batches if mode == "async" else client.batches)

    connect.kept = []
    walk.walk(connect, "google-genai")


if __name__ == "__main__":
    main(*sys.argv[1:])
