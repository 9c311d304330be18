#!/usr/bin/env bash
# Takes each sale to the parcel service: pulls the message, does its work, acknowledges it, and tells of it by OTLP/HTTP in JSON.
set -u

# what a key has, where it is there once: enough for what is asked for here
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" <<<"$2"; }
post() { curl -fsS --max-time 30 -H 'content-type: application/json' -d "$2" "$1"; }
hex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

subscription=$(post "$BROKER_URL/broker/subscriptions" '{"topic":"shop.sold","group":"dispatch"}') || exit 1
id=$(field id "$subscription")
[ -n "$id" ] || { echo "no subscription: $subscription" >&2; exit 1; }
echo "waiting for sales"

while :; do
  batch=$(post "$BROKER_URL/broker/subscriptions/$id/pull?max=1&wait=20" '') || { sleep 1; continue; }
  ack=$(field ack "$batch")
  [ -n "$ack" ] || continue
  product=$(field product_id "$batch")
  # 00-<trace>-<span>-<flags>: whoever sold it
  IFS=- read -r _ trace parent _ <<<"$(field traceparent "$batch")"
  started=$(date +%s%N)

  printf '{"level":"info","message":"product %s is on its way","trace_id":"%s"}\n' "$product" "$trace"
  post "$BROKER_URL/broker/subscriptions/$id/ack" "{\"acks\":[\"$ack\"]}" >/dev/null

  post "$OTEL_EXPORTER_OTLP_ENDPOINT/v1/traces" '{"resourceSpans":[{
    "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"'"$SERVICE_NAME"'"}}]},
    "scopeSpans":[{"spans":[{"traceId":"'"$trace"'","spanId":"'"$(hex 8)"'","parentSpanId":"'"$parent"'",
      "name":"dispatch","kind":5,"startTimeUnixNano":"'"$started"'","endTimeUnixNano":"'"$(date +%s%N)"'"}]}]}]}' >/dev/null
done
