const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

/** A line as a logger really writes it, and what is to be read in it. */
export interface LoggerLine {
  readonly logger: string
  readonly line: string
  readonly entry: Readonly<Record<string, unknown>>
}

/** Lines for machines, by logger: JSON, and logfmt. */
export const LOGGER_LINES: readonly LoggerLine[] = [
  {
    logger: 'pino',
    line: `{"level":30,"time":1795841020741,"pid":6957,"hostname":"vm","name":"other","order":7,"trace_id":"${TRACE}","span_id":"${SPAN}","msg":"order 7 sold"}`,
    entry: {
      timestamp: '2026-11-28T04:43:40.741Z',
      level: 'INFO',
      message: 'order 7 sold',
      trace_id: TRACE,
      span_id: SPAN,
      metadata: { pid: 6957, hostname: 'vm', name: 'other', order: 7 },
    },
  },
  {
    logger: 'pino, an error',
    line: String.raw`{"level":50,"time":1795841020743,"pid":6957,"hostname":"vm","err":{"type":"Error","message":"boom","stack":"Error: boom\n    at Object.<anonymous> (/app/a.cjs:1:171)"},"msg":"failed"}`,
    entry: {
      level: 'ERROR',
      message: 'failed',
      metadata: {
        pid: 6957,
        hostname: 'vm',
        err: { type: 'Error', message: 'boom', stack: 'Error: boom\n    at Object.<anonymous> (/app/a.cjs:1:171)' },
      },
    },
  },
  {
    logger: 'pino, an object alone',
    line: '{"level":60,"time":1795841020746,"pid":6957,"hostname":"vm","a":1}',
    entry: { level: 'CRITICAL', message: '', metadata: { pid: 6957, hostname: 'vm', a: 1 } },
  },
  {
    logger: 'pino in ECS',
    line: '{"log.level":"error","@timestamp":"2026-11-28T04:43:40.809Z","process.pid":6957,"ecs.version":"8.10.0","error":{"type":"Error"},"message":"ecs hi"}',
    entry: {
      timestamp: '2026-11-28T04:43:40.809Z',
      level: 'ERROR',
      message: 'ecs hi',
      metadata: { 'process.pid': 6957, 'ecs.version': '8.10.0', error: { type: 'Error' } },
    },
  },
  {
    logger: 'winston',
    line: '{"level":"warn","message":"low","order":7,"timestamp":"2026-11-28T04:43:40.788Z"}',
    entry: { timestamp: '2026-11-28T04:43:40.788Z', level: 'WARNING', message: 'low', metadata: { order: 7 } },
  },
  {
    logger: 'bunyan',
    line: '{"name":"shop","hostname":"vm","pid":6957,"level":40,"order":7,"msg":"low","time":"2026-11-28T04:43:40.806Z","v":0}',
    entry: {
      timestamp: '2026-11-28T04:43:40.806Z',
      level: 'WARNING',
      message: 'low',
      metadata: { name: 'shop', hostname: 'vm', pid: 6957, order: 7, v: 0 },
    },
  },
  {
    logger: 'zap',
    line: `{"level":"dpanic","ts":1795841020.25,"caller":"shop/main.go:31","msg":"sold","traceID":"${TRACE}","spanID":"${SPAN}"}`,
    entry: {
      timestamp: '2026-11-28T04:43:40.250Z',
      level: 'CRITICAL',
      message: 'sold',
      trace_id: TRACE,
      span_id: SPAN,
      metadata: { caller: 'shop/main.go:31' },
    },
  },
  {
    logger: 'zap, times in ISO 8601',
    line: '{"level":"info","ts":"2026-11-28T05:43:40.250+0100","msg":"sold"}',
    entry: { timestamp: '2026-11-28T04:43:40.250Z', level: 'INFO', message: 'sold' },
  },
  {
    logger: 'zerolog',
    line: '{"level":"error","error":"no stock","time":"2026-11-28T05:43:40+01:00","message":"not sold"}',
    entry: {
      timestamp: '2026-11-28T04:43:40.000Z',
      level: 'ERROR',
      message: 'not sold',
      metadata: { error: 'no stock' },
    },
  },
  {
    logger: 'slog',
    line: '{"time":"2026-11-28T04:43:40.123456789Z","level":"WARN+1","msg":"low","count":9007199254740993}',
    entry: { timestamp: '2026-11-28T04:43:40.123457Z', level: 'WARNING', message: 'low' },
  },
  {
    logger: 'slog, as text',
    line: `time=2026-11-28T04:43:40.000Z level=ERROR msg="not \\"sold\\"" order=7 trace_id=${TRACE}`,
    entry: {
      timestamp: '2026-11-28T04:43:40.000Z',
      level: 'ERROR',
      message: 'not "sold"',
      trace_id: TRACE,
      metadata: { order: '7' },
    },
  },
  {
    logger: 'logrus',
    line: '{"animal":"walrus","level":"panic","msg":"A walrus appears","time":"2026-11-28T04:43:40Z"}',
    entry: { level: 'CRITICAL', message: 'A walrus appears', metadata: { animal: 'walrus' } },
  },
  {
    logger: 'logrus, as text',
    line: 'time="2026-11-28T04:43:40Z" level=warning msg="A walrus appears" animal=walrus',
    entry: {
      timestamp: '2026-11-28T04:43:40.000Z',
      level: 'WARNING',
      message: 'A walrus appears',
      metadata: { animal: 'walrus' },
    },
  },
  {
    logger: 'structlog',
    line: '{"order": 7, "event": "sold", "level": "info", "timestamp": "2026-11-28T04:43:40.123456Z"}',
    entry: { timestamp: '2026-11-28T04:43:40.123456Z', level: 'INFO', message: 'sold', metadata: { order: 7 } },
  },
  {
    logger: 'python-json-logger',
    line: `{"asctime": "2026-11-28 04:43:40,123", "levelname": "CRITICAL", "name": "shop", "message": "gone", "otelTraceID": "${TRACE}", "otelSpanID": "${SPAN}", "otelTraceSampled": true, "taskName": null}`,
    entry: {
      level: 'CRITICAL',
      message: 'gone',
      trace_id: TRACE,
      span_id: SPAN,
      metadata: { asctime: '2026-11-28 04:43:40,123', name: 'shop', otelTraceSampled: true, taskName: null },
    },
  },
  {
    logger: 'logback, by logstash’s encoder',
    line: `{"@timestamp":"2026-11-28T05:43:40.123+01:00","@version":"1","message":"sold","logger_name":"com.shop.Orders","thread_name":"main","level":"TRACE","level_value":5000,"traceId":"${TRACE}","spanId":"${SPAN}"}`,
    entry: {
      timestamp: '2026-11-28T04:43:40.123Z',
      level: 'DEBUG',
      message: 'sold',
      trace_id: TRACE,
      span_id: SPAN,
      metadata: { '@version': '1', logger_name: 'com.shop.Orders', thread_name: 'main', level_value: 5000 },
    },
  },
  {
    logger: 'logback’s own',
    line: `{"sequenceNumber":0,"timestamp":1795841020123,"nanoseconds":123456789,"level":"ERROR","threadName":"main","loggerName":"com.shop.Orders","context":{"name":"default"},"mdc":{"trace_id":"${TRACE}","span_id":"${SPAN}","user":"9"},"message":"not sold","throwable":null}`,
    entry: {
      timestamp: '2026-11-28T04:43:40.123Z',
      level: 'ERROR',
      message: 'not sold',
      trace_id: TRACE,
      span_id: SPAN,
      metadata: {
        sequenceNumber: 0,
        nanoseconds: 123456789,
        threadName: 'main',
        loggerName: 'com.shop.Orders',
        context: { name: 'default' },
        mdc: { user: '9' },
        throwable: null,
      },
    },
  },
  {
    logger: 'log4j2, as ECS',
    line: `{"@timestamp":"2026-11-28T04:43:40.123Z","ecs.version":"1.2.0","log.level":"FATAL","message":"gone","process.thread.name":"main","log.logger":"com.shop.Orders","trace.id":"${TRACE}","span.id":"${SPAN}"}`,
    entry: {
      timestamp: '2026-11-28T04:43:40.123Z',
      level: 'CRITICAL',
      message: 'gone',
      trace_id: TRACE,
      span_id: SPAN,
      metadata: { 'ecs.version': '1.2.0', 'process.thread.name': 'main', 'log.logger': 'com.shop.Orders' },
    },
  },
  {
    logger: 'log4j2’s JsonLayout',
    line: `{"thread":"main","level":"WARN","loggerName":"com.shop.Orders","message":"low","endOfBatch":false,"timeMillis":1795841020123,"contextMap":{"traceId":"${SPAN}","spanId":"${SPAN}"}}`,
    entry: {
      timestamp: '2026-11-28T04:43:40.123Z',
      level: 'WARNING',
      message: 'low',
      trace_id: `0000000000000000${SPAN}`,
      span_id: SPAN,
      metadata: { thread: 'main', loggerName: 'com.shop.Orders', endOfBatch: false },
    },
  },
  {
    logger: 'Serilog, compact',
    line: `{"@t":"2026-11-28T04:43:40.1234567Z","@mt":"{Name} bought {@What} for {Price:0.00}","@l":"Error","@x":"System.Exception: boom","@tr":"${TRACE}","@sp":"${SPAN}","Name":"Ann","What":{"id":7},"Price":12.5}`,
    entry: {
      timestamp: '2026-11-28T04:43:40.123457Z',
      level: 'ERROR',
      message: 'Ann bought {"id":7} for 12.5',
      trace_id: TRACE,
      span_id: SPAN,
      metadata: { '@x': 'System.Exception: boom', Name: 'Ann', What: { id: 7 }, Price: 12.5 },
    },
  },
  {
    logger: 'Serilog, rendered',
    line: '{"@t":"2026-11-28T04:43:40.123Z","@m":"Ann bought","@i":"a1b2c3d4","Name":"Ann"}',
    entry: { level: 'INFO', message: 'Ann bought', metadata: { '@i': 'a1b2c3d4', Name: 'Ann' } },
  },
  {
    logger: '.NET’s console',
    line: `{"EventId":0,"LogLevel":"Information","Category":"Shop.Orders","Message":"sold","State":{"Message":"sold","{OriginalFormat}":"sold"},"Scopes":[{"Message":"SpanId:${SPAN}, TraceId:${TRACE}, ParentId:0000000000000000","SpanId":"${SPAN}","TraceId":"${TRACE}","ParentId":"0000000000000000"},{"Message":"ConnectionId:0HN"}]}`,
    entry: { level: 'INFO', message: 'sold', trace_id: TRACE, span_id: SPAN },
  },
  {
    logger: 'Monolog',
    line: `{"message":"not sold","context":{"order":7,"trace_id":"${TRACE}"},"level":400,"level_name":"ERROR","channel":"app","datetime":"2026-11-28T04:43:40.123456+00:00","extra":{}}`,
    entry: {
      timestamp: '2026-11-28T04:43:40.123456Z',
      level: 'ERROR',
      message: 'not sold',
      trace_id: TRACE,
      metadata: { context: { order: 7 }, level: 400, channel: 'app', extra: {} },
    },
  },
  {
    logger: 'Rust’s tracing',
    line: '{"timestamp":"2026-11-28T04:43:40.123456Z","level":"WARN","fields":{"message":"low","left":2},"target":"shop"}',
    entry: {
      timestamp: '2026-11-28T04:43:40.123456Z',
      level: 'WARNING',
      message: 'low',
      metadata: { fields: { left: 2 }, target: 'shop' },
    },
  },
  {
    logger: 'Datadog’s injection',
    line: '{"level":"info","message":"sold","dd":{"trace_id":"1234567890123456","span_id":"7"},"dd.trace_id":"1234567890123456"}',
    entry: {
      level: 'INFO',
      message: 'sold',
      metadata: { dd: { trace_id: '1234567890123456', span_id: '7' }, 'dd.trace_id': '1234567890123456' },
    },
  },
  {
    logger: 'a kit’s own',
    line: `{"timestamp":"2026-11-28T04:43:40.123Z","level":"DEBUG","service":"another-service","instance":"x","message":"m","metadata":{"k":1}}`,
    entry: {
      timestamp: '2026-11-28T04:43:40.123Z',
      level: 'DEBUG',
      message: 'm',
      metadata: { service: 'another-service', instance: 'x', k: 1 },
    },
  },
]
