import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readSecrets } from './service-secrets.ts'

let values: Readonly<Record<string, unknown>> = {}
const server = createServer((_, response) => response.end(JSON.stringify(values)))
beforeEach(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)))
afterEach(() => new Promise((resolve) => void server.close(resolve)))

function read(...names: readonly string[]) {
  const { port } = server.address() as AddressInfo
  const authority = { serviceToken: async () => 'token' }
  const options = { url: `http://127.0.0.1:${port}`, service: 'shop', environment: 'development', authority }
  return readSecrets(names, options, AbortSignal.timeout(5_000))
}

it('gives secrets as texts', async () => {
  values = { API_KEY: 'hunter2', LIMIT: 7, more: 'x' }
  expect(await read('API_KEY', 'LIMIT')).toEqual({ API_KEY: 'hunter2', LIMIT: '7' })
})

it('refuses one with a NUL byte by its name alone, and says what to do', async () => {
  values = { API_KEY: 'hunter2\0' }
  await expect(read('API_KEY')).rejects.toMatchObject({
    code: 'START_FAILED',
    message:
      'its secret API_KEY in development holds a NUL byte, which no variable can; set it without: msvc config set shop API_KEY --file FILE --secret',
  })
})
