import { expect, it } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import { createTracing } from './tracer.ts'
import type { SpanRecord } from './tracing.ts'

const PARENT = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', state: 'vendor=1,other=2' }

it.each([true, false])('ships whose span it is and what others keep in its trace, kept (%s) or failed', (sampled) => {
  const shipped: SpanRecord[] = []
  const ship = (span: SpanRecord) => void shipped.push(span)
  const tracing = createTracing({ service: 'shop', instance: 'shop-1', clock: systemClock, ship })
  tracing.start('sell', { kind: 'server', parent: { ...PARENT, sampled } }).end({ failed: true, message: 'sold out' })
  tracing.start('open', { kind: 'internal', parent: null }).end()
  expect(shipped).toMatchObject([
    {
      trace_id: PARENT.traceId,
      parent_span_id: PARENT.spanId,
      service: 'shop',
      instance: 'shop-1',
      status: 'error',
      tags: { error: 'sold out' },
      trace_state: PARENT.state,
    },
    { operation: 'open', instance: 'shop-1', status: 'ok' },
  ])
  expect(shipped[1]).not.toHaveProperty('trace_state')
})
