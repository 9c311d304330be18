#!/usr/bin/env bash
# Takes each sale to the parcel service: pulls the message, does its work, acknowledges it, and tells of it by OTLP/HTTP in JSON.
set -u

json() { python3 -c 'import json, sys; data = json.load(sys.stdin); print(eval(sys.argv[1], {"d": data}))' "$1"; }
post() { curl -sS --max-time 30 -H 'content-type: application/json' -d "$2" "$1"; }
hex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

id=$(post "$BROKER_URL/broker/subscriptions" '{"topic":"shop.sold","group":"dispatch"}' | json 'd["id"]') || exit 1
echo "waiting for sales"

while :; do
  batch=$(post "$BROKER_URL/broker/subscriptions/$id/pull?max=1&wait=20" '') || { sleep 1; continue; }
  [ "$(json 'len(d["messages"])' <<<"$batch")" = 1 ] || continue
  product=$(json 'd["messages"][0]["payload"]["product_id"]' <<<"$batch")
  ack=$(json 'd["messages"][0]["ack"]' <<<"$batch")
  # 00-<trace>-<span>-<flags>: whoever sold it
  traceparent=$(json 'd["messages"][0]["attributes"].get("traceparent", "")' <<<"$batch")
  IFS=- read -r _ trace parent _ <<<"$traceparent"
  started=$(date +%s%N)

  printf '{"level":"info","message":"product %s is on its way","trace_id":"%s"}\n' "$product" "$trace"
  post "$BROKER_URL/broker/subscriptions/$id/ack" "{\"acks\":[\"$ack\"]}" >/dev/null

  post "$OTEL_EXPORTER_OTLP_ENDPOINT/v1/traces" '{"resourceSpans":[{
    "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"'"$SERVICE_NAME"'"}}]},
    "scopeSpans":[{"spans":[{"traceId":"'"$trace"'","spanId":"'"$(hex 8)"'","parentSpanId":"'"$parent"'",
      "name":"dispatch","kind":5,"startTimeUnixNano":"'"$started"'","endTimeUnixNano":"'"$(date +%s%N)"'"}]}]}]}' >/dev/null
done
