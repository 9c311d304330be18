import { describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import type { Exchange } from '../http/exchange.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { metrics } from './metrics.ts'

/** As much of an exchange as the layer looks at. */
function exchange(method: string, route: string, statusCode = 200): Exchange {
  return {
    method,
    route,
    startedAt: clock.monotonic(),
    outgoing: { statusCode, headersSent: true },
  } as unknown as Exchange
}

async function seriesAfter(exchanges: readonly Exchange[]): Promise<readonly string[]> {
  const registry = createMetrics('thing-service')
  const layer = metrics({ metrics: registry, clock })
  for (const each of exchanges) {
    const leave = layer(each)
    if (leave) leave(each)
  }
  return (await registry.text()).split('\n').filter((line) => line.startsWith('http_requests_total{'))
}

describe('the request metrics', () => {
  it('keep at most 2 000 series, and count the rest together', async () => {
    const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'BREW']
    const all = Array.from({ length: 8_000 }, (_, n) => exchange(methods[n % 8] ?? '', `/route-${n}`, 200 + (n % 400)))
    const series = await seriesAfter(all)
    expect(series.length).toBeGreaterThan(1_900)
    expect(series.length).toBeLessThanOrEqual(2_000)
    expect(series.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)).toBe(8_000)
  })

  it('count methods that somebody made up as one', async () => {
    const series = await seriesAfter(['PROPFIND', 'MKCOL', 'QUERY'].map((method) => exchange(method, 'unmatched', 404)))
    expect(series).toEqual([expect.stringMatching(/method="other".* 3$/)])
  })
})
