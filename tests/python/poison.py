"""One request with a record that the misbehaving plugin traps on, and one that it does not."""

import json
import urllib.error
import urllib.request

TIMEOUT_S = 60


def send_poison(url: str) -> int:
    """Posts it as OTLP/JSON; how many records were taken. Refusals take none, and are not an error."""
    span = {"traceId": "5b8efff798038103d269b633813fc60c", "startTimeUnixNano": "1763712000000000000"}
    spans = [dict(span, spanId=f"{number + 1:016x}", name=name) for number, name in enumerate(["poison", "beside"])]
    body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            partial = json.load(answer).get("partialSuccess", {})
            return len(spans) - int(partial.get("rejectedSpans", 0))
    except urllib.error.HTTPError as error:
        if error.code in (429, 503):
            return 0
        raise
