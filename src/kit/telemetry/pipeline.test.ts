import { expect, it } from 'vitest'
import { createMetrics } from './metrics.ts'
import { createPipeline } from './pipeline.ts'

it('says for a minute that entries were dropped', async () => {
  let now = 0
  const pipeline = createPipeline({
    service: 'thing-service',
    instance: 'thing-service-1',
    clock: { now: () => 0, monotonic: () => now },
    level: 'INFO',
    tracesPerSecond: 1,
    metrics: createMetrics('thing-service'),
    sinks: [],
    post: () => Promise.reject(new Error('log server away')),
  })
  await pipeline.check()
  const text = 'x'.repeat(10_000)
  for (let count = 0; count < 4_000; count++) pipeline.log.info('large', { text })
  await expect(pipeline.check()).rejects.toThrow(/^[1-9]\d* log entries and spans were dropped/)
  now = 59_999
  await expect(pipeline.check()).rejects.toThrow()
  now = 60_000
  await pipeline.check()
  await pipeline.close()
})
