import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import type { AppEnv } from './app-env.ts'
import type { Layer } from './exchange.ts'
import { type Listener, listen } from './listener.ts'
import { DEFAULT_LIMITS as limits } from './testing/listener-limits.ts'

const open: Listener[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.drain(0)))
})

async function start(app = new Hono<AppEnv>(), layers: readonly Layer[] = [], port = 0) {
  const listener = await listen({ host: '127.0.0.1', port, limits, layers, app, clock })
  open.push(listener)
  return { listener, url: `http://127.0.0.1:${listener.port}/` }
}

describe('listen', () => {
  it('says what to do when its port is taken', async () => {
    const { port } = (await start()).listener
    await expect(start(new Hono<AppEnv>(), [], port)).rejects.toMatchObject({
      code: 'START_FAILED',
      message: `port ${port} on 127.0.0.1 is taken by another program; stop it, or choose another: serve --port, up --port-offset`,
    })
  })

  it('runs the layers in order and their leaving halves in reverse, once the answer is over', async () => {
    const steps: string[] = []
    const left = Promise.withResolvers<void>()
    const layer =
      (name: string, done = () => {}): Layer =>
      () => {
        steps.push(`${name} in`)
        return () => {
          steps.push(`${name} out`)
          done()
        }
      }
    const app = new Hono<AppEnv>().get('/', (c) => {
      steps.push('route')
      return c.text('here')
    })
    const { url } = await start(app, [layer('a', left.resolve), layer('b')])
    expect(await (await fetch(url)).text()).toBe('here')
    await left.promise
    expect(steps).toEqual(['a in', 'b in', 'route', 'b out', 'a out'])
  })

  it('lets a request under way finish when it drains, and takes no more', async () => {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    const app = new Hono<AppEnv>().get('/', async (c) => {
      asked.resolve()
      await answer.promise
      return c.text('done')
    })
    const { listener, url } = await start(app)
    const response = fetch(url)
    await asked.promise
    const drained = listener.drain(60_000)
    await expect(fetch(url)).rejects.toThrow()
    answer.resolve()
    expect(await (await response).text()).toBe('done')
    await drained
  })

  it('cuts what is still under way when the time to drain is over', async () => {
    const asked = Promise.withResolvers<void>()
    const app = new Hono<AppEnv>().get('/', () => {
      asked.resolve()
      return new Promise<Response>(() => {})
    })
    const { listener, url } = await start(app)
    const response = expect(fetch(url)).rejects.toThrow()
    await asked.promise
    await listener.drain(0)
    await response
  })
})
