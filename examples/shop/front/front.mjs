// What customers talk to. Its spans are OpenTelemetry's own: the SDK finds the platform by OTEL_EXPORTER_OTLP_ENDPOINT.
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { detectResources, resourceAttributesEnvDetector, serviceNameEnvDetector } from '@opentelemetry/resources'
import { BatchSpanProcessor, StackContextManager, TracerProvider } from '@opentelemetry/sdk-trace'

const { HOST, PORT, CATALOG_URL, STOCK_URL, BROKER_URL } = process.env

propagation.setGlobalPropagator(new W3CTraceContextPropagator())
context.setGlobalContextManager(new StackContextManager())
const provider = new TracerProvider({
  resource: detectResources({ detectors: [serviceNameEnvDetector, resourceAttributesEnvDetector] }),
  spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), scheduledDelayMillis: 500 })],
})
const tracer = provider.getTracer('front')

/** One JSON object a line: the platform finds level, message and trace in it. */
function log(level, message, span, more = {}) {
  const { traceId, spanId } = span.spanContext()
  process.stdout.write(`${JSON.stringify({ level, message, trace_id: traceId, span_id: spanId, ...more })}\n`)
}

/** Calls another service in the span's trace. */
async function call(span, url, init = {}) {
  const headers = { 'content-type': 'application/json' }
  propagation.inject(trace.setSpan(ROOT_CONTEXT, span), headers)
  const answer = await fetch(url, { ...init, headers })
  if (!answer.ok) throw new Error(`${new URL(url).pathname} answered ${answer.status}`)
  return answer.status === 204 ? undefined : answer.json()
}

async function buy(incoming, span) {
  const { product_id } = await json(incoming)
  const product = await call(span, `${CATALOG_URL}/products/${product_id}`)
  const { left } = await call(span, `${STOCK_URL}/stock/${product_id}/take`, { method: 'POST', body: '{}' })
  const sale = { product_id: product.id, price: product.price }
  await call(span, `${BROKER_URL}/broker/publish/shop.sold`, { method: 'POST', body: JSON.stringify(sale) })
  log('info', `sold ${product.name}`, span, { left })
  return { ...sale, name: product.name, left }
}

const server = createServer(async (incoming, outgoing) => {
  const answer = (status, body) =>
    outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  const { method, url = '/' } = incoming
  if (url === '/health') return answer(200, { status: 'healthy' })
  const parent = propagation.extract(ROOT_CONTEXT, incoming.headers)
  const span = tracer.startSpan(`${method} ${url}`, { kind: SpanKind.SERVER }, parent)
  try {
    if (method === 'POST' && url === '/orders') answer(201, await buy(incoming, span))
    else answer(404, { title: 'Not found' })
  } catch (fault) {
    log('error', `not sold: ${fault.message}`, span)
    span.setStatus({ code: SpanStatusCode.ERROR, message: fault.message })
    answer(502, { title: 'Not sold', detail: fault.message })
  } finally {
    span.end()
  }
})
server.listen(Number(PORT), HOST)

process.once('SIGTERM', () => server.close(() => provider.shutdown().finally(() => process.exit(0))))
