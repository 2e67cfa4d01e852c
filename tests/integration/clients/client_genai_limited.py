"""google-genai with a key that may do little, and asks for more."""

import os

import walk
from client_genai import Client
from google import genai
from google.genai.types import HttpOptions
from google.oauth2.credentials import Credentials


def main():
    client = genai.Client(
        vertexai=True,
        project=walk.PROJECT,
        location=walk.LOCATION,
        credentials=Credentials(token=walk.KEY),
        http_options=HttpOptions(base_url=walk.URL),
    )
    jobs, given, output = Client(client.batches), os.environ["INPUT"], os.environ["OUTPUT"]
    foreign = f"{os.environ['FOREIGN']}/x.jsonl"
    errors = {
        "input": walk.error(lambda: jobs.create(f"{walk.RUN}-input", foreign, output)),
        "output": walk.error(lambda: jobs.create(f"{walk.RUN}-output", given, os.environ["FOREIGN"])),
        "model": walk.error(lambda: client.batches.create(model="gemini-2.5-pro", src=given)),
    }
    walk.finish(["google-genai"], {"errors": errors})


if __name__ == "__main__":
    main()
