"""What the shop sells. Listens where it is told, and tells of each request by OTLP/HTTP in JSON."""

import json
import logging
import os
import secrets
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PRODUCTS = {"7": {"id": 7, "name": "Laptop", "price": 999.9}, "8": {"id": 8, "name": "Mouse", "price": 19.9}}
LOGS = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]


class JsonLines(logging.Formatter):
    """A JSON object a line: the platform finds level, message and trace in it."""

    def format(self, record):
        line = {"level": record.levelname, "message": record.getMessage()}
        return json.dumps(line | getattr(record, "trace", {}))


handler = logging.StreamHandler()
handler.setFormatter(JsonLines())
log = logging.getLogger("catalog")
log.setLevel(logging.INFO)
log.addHandler(handler)


def tell(name, trace_id, span_id, parent_id, started, failed):
    """Sends one span."""
    resource = [
        {"key": "service.name", "value": {"stringValue": os.environ["SERVICE_NAME"]}},
        {"key": "service.instance.id", "value": {"stringValue": os.environ["INSTANCE_ID"]}},
    ]
    span = {
        "traceId": trace_id,
        "spanId": span_id,
        "parentSpanId": parent_id,
        "name": name,
        "kind": 2,
        "startTimeUnixNano": str(started),
        "endTimeUnixNano": str(time.time_ns()),
        "status": {"code": 2 if failed else 1},
    }
    body = {"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [{"spans": [span]}]}]}
    request = urllib.request.Request(
        LOGS + "/v1/traces", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=2).close()
    except OSError as fault:
        log.warning("the span of %s is lost: %s", name, fault)


class Catalog(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, {"status": "healthy"})
        # version, trace, parent, flags (W3C Trace Context)
        _, trace_id, parent_id, _ = self.headers.get("traceparent", f"00-{secrets.token_hex(16)}-{'0' * 16}-01").split("-")
        span_id, started = secrets.token_hex(8), time.time_ns()
        product = PRODUCTS.get(self.path.removeprefix("/products/"))
        log.info("asked for %s", self.path, extra={"trace": {"trace_id": trace_id, "span_id": span_id}})
        self.answer(200, product) if product else self.answer(404, {"title": "Product not found"})
        tell(f"GET {self.path}", trace_id, span_id, parent_id, started, product is None)

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Said by `log` already."""


ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Catalog).serve_forever()
