"""google-genai told less than it should know: an API key only, or a base URL without project and location."""

import os

import walk
from client_genai import Client
from google import genai
from google.genai.types import HttpOptions
from google.oauth2.credentials import Credentials


def _flow(jobs):
    """From create to delete, with names and with ids alone, which these clients take as well."""
    created = jobs.create(f"{walk.RUN}-long", os.environ["LONG_INPUT"], os.environ["OUTPUT"])
    digits = created["name"].rpartition("/")[2]
    seen = jobs.get(created["name"])
    by_digits = jobs.get(digits)
    listed = [name for page in jobs.pages(f'display_name="{walk.RUN}-long"') for name in page]
    jobs.cancel(digits)
    ended = walk.end(jobs, digits)
    jobs.delete(digits)
    return {"created": created, "seen": seen, "by_digits": by_digits, "listed": listed, "ended": ended}


def main():
    here, elsewhere = HttpOptions(base_url=walk.URL), HttpOptions(base_url=os.environ["MANY_PLACES_URL"])
    client = genai.Client(vertexai=True, api_key=walk.KEY, http_options=here)
    many = genai.Client(vertexai=True, api_key=walk.KEY, http_options=elsewhere)
    nowhere = genai.Client(vertexai=True, credentials=Credentials(token=walk.KEY), http_options=here)
    flow = {}
    errors = {
        "flow": walk.error(lambda: flow.update(_flow(Client(client.batches)))),
        "many_places": walk.error(lambda: list(Client(many.batches).pages(""))),
        "base_url_only": walk.error(lambda: list(Client(nowhere.batches).pages(""))),
    }
    walk.finish(["google-genai"], {**flow, "errors": errors})


if __name__ == "__main__":
    main()
