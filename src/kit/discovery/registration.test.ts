import { createServer } from 'node:http'
import { afterEach, expect, it } from 'vitest'
import { portOf } from '../http/port-of.ts'
import { recordedLog } from '../telemetry/testing/recorded-log.ts'
import { register } from './registration.ts'

const server = createServer((_, answer) =>
  answer.writeHead(401).end('{"detail":"signed by a key that is not known here"}'),
)
afterEach(() => server.close())

it('says what to do about a registry that does not believe this machine', async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const log = recordedLog()
  const registration = register({
    registryUrl: `http://127.0.0.1:${portOf(server)}`,
    service: 'user-service',
    host: '127.0.0.1',
    port: 1,
    metadata: {},
    log,
    directory: { onConnect: () => () => {} },
  })
  await expect
    .poll(() => log.lines)
    .toEqual([
      expect.stringMatching(
        /^ERROR the registry refuses user-service: status 401, .*a key that is not known here.*; .* with a copy of their keys\/ in the data folder/,
      ),
    ])
  await registration.leave()
})
