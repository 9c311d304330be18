import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { DriverError } from '../../../drivers/driver-error.ts'
import { AppError } from '../../../kit/errors.ts'
import type { AppEnv } from '../../../kit/http/app-env.ts'
import { errors } from '../../../kit/middleware/errors.ts'
import { silentLog } from '../../../kit/telemetry/testing/recorded-log.ts'
import type { LogRecord } from '../log-record.ts'
import { otlpRefusal, otlpRoutes } from './routes.ts'

/** The routes over a store that can fail; `before` runs before each chunk is stored. */
function routesOver(before: (chunk: number) => Promise<void> | void) {
  const stored: LogRecord[] = []
  let now = 0
  let chunks = 0
  const app = new Hono<AppEnv>().route(
    '/',
    otlpRoutes({
      clock: { monotonic: () => now },
      addSpans: async () => {},
      async addLogs(records) {
        await before(++chunks)
        stored.push(...records)
      },
    }),
  )
  errors(app, silentLog, otlpRefusal)
  const post = async (body: unknown, headers: Record<string, string> = {}, type = 'application/json') => {
    const init = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': type, ...headers } }
    const answer = await app.request('/v1/logs', init)
    return { status: answer.status, retryAfter: answer.headers.get('retry-after'), text: await answer.text() }
  }
  return {
    stored,
    post,
    pass: (ms: number) => {
      now += ms
    },
  }
}

const records = (count: number, from = 0) => ({
  resourceLogs: [
    {
      scopeLogs: [
        {
          logRecords: Array.from({ length: count }, (_, i) => ({
            timeUnixNano: '1',
            body: { stringValue: `${from + i}` },
          })),
        },
      ],
    },
  ],
})
const TAKEN = { status: 200, retryAfter: null, text: '{}' }

describe('a request that is sent again', () => {
  it('goes on where storing it failed, so that each record is stored once', async () => {
    let isDown = true
    const { post, stored } = routesOver((chunk) => {
      if (chunk === 3 && isDown) throw new AppError('UNAVAILABLE', 'More comes in than can be stored')
    })
    expect(await post(records(2_500))).toMatchObject({ status: 503, retryAfter: '1' })
    expect(stored).toHaveLength(2_000)
    isDown = false
    expect(await post(records(2_500))).toEqual(TAKEN)
    expect(stored.map(({ message }) => Number(message))).toEqual(Array.from({ length: 2_500 }, (_, i) => i))
  })

  it('waits for the first while that is under way', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { post, stored } = routesOver(() => promise)
    const both = Promise.all([post(records(3)), post(records(3))])
    resolve()
    expect(await both).toEqual([TAKEN, TAKEN])
    expect(stored).toHaveLength(3)
  })

  it('is another one from another caller, in other bytes, and after ten minutes', async () => {
    const { post, stored, pass } = routesOver(() => {})
    const ann = { 'user-agent': 'ann' }
    await post(records(1), ann)
    await post(records(1), ann)
    expect(stored).toHaveLength(1)
    await post(records(1), { 'user-agent': 'bob' })
    await post(records(1, 7), ann)
    expect(stored).toHaveLength(3)
    pass(599_000)
    await post(records(1), ann)
    expect(stored).toHaveLength(3)
    pass(2_000)
    await post(records(1), ann)
    expect(stored).toHaveLength(4)
  })

  it('is stored when nothing of the first was', async () => {
    let isDown = true
    const { post, stored } = routesOver(() => {
      if (isDown) throw new DriverError('full', 'no room')
    })
    // exporters don't try again after a 507
    expect(await post(records(1))).toMatchObject({
      status: 503,
      retryAfter: '10',
      text: expect.stringContaining('"code":14'),
    })
    isDown = false
    expect(await post(records(1))).toEqual(TAKEN)
    expect(stored).toHaveLength(1)
  })
})

it('tells nobody what broke inside', async () => {
  const { post } = routesOver(() => {
    throw new Error('a secret of the inside')
  })
  expect(await post(records(1))).toEqual({
    status: 500,
    retryAfter: null,
    text: '{"code":13,"message":"Internal error"}',
  })
})
