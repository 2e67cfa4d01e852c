#!/usr/bin/env bash
# curl, as Google's documentation writes it: `client_curl.sh v1|v1beta1 bearer|api-key|query`. The result has the
# form of walk.py's; an error's text is the body of the answer.
set -euo pipefail

version=$1 key_in=$2
body=$(mktemp)
trap 'rm -f "$body"' EXIT

# call KEY LOCATION PATH [curl's arguments]: leaves the answer in $body and its status in $status.
call() {
  local key=$1 url=$GATEWAY_URL/$version/projects/$GATEWAY_PROJECT/locations/$2/$3
  shift 3
  case $key_in in
  bearer) set -- -H "Authorization: Bearer $key" "$@" ;;
  api-key) set -- -H "x-goog-api-key: $key" "$@" ;;
  query) url=$url?key=$key ;;
  esac
  status=$(curl -sS -o "$body" -w '%{http_code}' "$url" "$@")
}

jobs() { call "$GATEWAY_KEY" "$GATEWAY_LOCATION" "batchPredictionJobs$1" "${@:2}"; }

# The first value of a member.
member() { sed -n 's/^ *"'"$1"'": "\([^"]*\)".*/\1/p' "$body" | head -n 1; }

create() { # KEY LOCATION NAME INPUT OUTPUT
  # A string, as in every example of Google's, where the schema has a list.
  call "$1" "$2" batchPredictionJobs -X POST -H "Content-Type: application/json; charset=utf-8" -d '{
    "displayName": "'"$3"'",
    "model": "publishers/google/models/'"$MODEL"'",
    "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": "'"$4"'"}},
    "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": "'"$5"'"}}
  }'
}

told() { printf '{"name": "%s", "state": "%s", "displayName": "%s"}' "$(member name)" "$(member state)" "$(member displayName)"; }

pages() { # FILTER: prints a JSON array of pages
  local token="" separator="" page
  printf '['
  while :; do
    # curl -G appends to a query that is there.
    jobs "" -G --data-urlencode "filter=$1" -d pageSize=1 ${token:+--data-urlencode "pageToken=$token"}
    page=$(sed -n 's/^ *"name": \("[^"]*"\).*/\1/p' "$body" | paste -sd, -)
    if [ -n "$page" ]; then printf '%s[%s]' "$separator" "$page"; fi
    separator=,
    token=$(member nextPageToken)
    if [ -z "$token" ]; then break; fi
  done
  printf ']'
}

end() { # ID: prints the state in which the job ended
  local left
  for left in $(seq 200); do
    jobs "/$1"
    case $(member state) in
    *_SUCCEEDED | *_FAILED | *_CANCELLED | *_EXPIRED) break ;;
    esac
    sleep 0.2
  done
  member state
}

failed() { # the answer as an error
  if [ "$status" -lt 400 ]; then
    printf '{"classes": [], "text": "HTTP %s"}' "$status"
  else
    printf '{"classes": ["HTTP %s"], "text": %s}' "$status" "$(cat "$body")"
  fi
}

create "$GATEWAY_KEY" "$GATEWAY_LOCATION" "$RUN-long" "$LONG_INPUT" "$OUTPUT/long"
long=$(member name)
create "$GATEWAY_KEY" "$GATEWAY_LOCATION" "$RUN-short" "$INPUT" "$OUTPUT/short"
short=$(member name)
created=$(told)
jobs "/${long##*/}"
seen=$(told)
pages=$(pages "display_name:\"$RUN-*\"")
filtered=$(pages "display_name=\"$RUN-short\"" | tr -d '[]')
# -d '' says that it sends a form, of which there is nothing.
jobs "/${long##*/}:cancel" -X POST -d ''
ended="{\"long\": \"$(end "${long##*/}")\", \"short\": \"$(end "${short##*/}")\"}"
jobs "/${long##*/}" -X DELETE
jobs "/${short##*/}" -X DELETE
for _ in $(seq 100); do
  jobs "/${short##*/}"
  if [ "$status" -ge 400 ]; then break; fi
  sleep 0.1
done
deleted=$(failed)
create "$GATEWAY_KEY" "$GATEWAY_LOCATION" "$RUN-bad" gs://only-a-bucket gs://batch-out/x
invalid=$(failed)
call sk-wrong "$GATEWAY_LOCATION" batchPredictionJobs
wrong_key=$(failed)
call "$GATEWAY_KEY" asia-east1 batchPredictionJobs
unserved=$(failed)
jobs /1234567890123456789
unknown=$(failed)
create "$GATEWAY_KEY" europe-west1 "$RUN-429" "$INPUT" gs://batch-out/x
exhausted=$(failed)

cat <<JSON
{"jobs": {"long": "$long", "short": "$short"}, "created": $created, "seen": $seen, "pages": $pages,
 "filtered": [$filtered], "ended": $ended,
 "errors": {"deleted": $deleted, "invalid": $invalid, "wrong_key": $wrong_key, "unserved": $unserved,
            "unknown": $unknown, "exhausted": $exhausted}}
JSON
