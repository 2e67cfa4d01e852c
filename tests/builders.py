"""What many tests are made of."""


def prompt(text="How long is a piece of string?", limit=None, **emulate):
    """Return an input row for Gemini, with a limit on its output and what the emulator is to make of it."""
    request = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    if limit is not None:
        request["generationConfig"] = {"maxOutputTokens": limit}
    return {"request": request, **({"emulate": emulate} if emulate else {})}
