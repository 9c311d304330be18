import { createServer } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { guardedLookup } from '../discovery/address-rule.ts'
import { portOf } from '../http/port-of.ts'
import { createGuardedFetch, type GuardedFetch } from './guarded-fetch.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

/** A server on loopback, by a name, and how often it was asked. */
async function serve() {
  const server = createServer((_, answer) => answer.end('ok'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(resolve)))
  return `http://localhost:${portOf(server)}/`
}

function guarded(lookup?: Parameters<typeof createGuardedFetch>[0]): GuardedFetch['fetch'] {
  const { fetch, close } = createGuardedFetch(lookup)
  closing.push(close)
  return fetch
}

describe('a guarded fetch', () => {
  it('calls a name that resolves to an address where services live', async () => {
    expect(await (await guarded()(await serve())).text()).toBe('ok')
  })

  it('makes no connection to a name that was moved to a refused address since it was registered', async () => {
    // stands for a name server that answers differently by now
    const moved: typeof guardedLookup = (_, options, callback) => guardedLookup('169.254.169.254', options, callback)
    await expect(guarded(moved)(await serve())).rejects.toMatchObject({
      cause: { code: 'EADDRREFUSED', message: expect.stringContaining('link-local') },
    })
  })
})
