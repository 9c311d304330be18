import { createServer, type ServerResponse } from 'node:http'
import { afterEach, expect, it, onTestFinished } from 'vitest'
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

it('says that it is entered once the registry has it, or has refused it, and waits a second at most', async () => {
  const asked = Promise.withResolvers<ServerResponse>()
  const registry = createServer((incoming, answer) => {
    if (incoming.url === '/registry/register') asked.resolve(answer)
    else answer.end('{}')
  })
  onTestFinished(() => void registry.close())
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  const enter = (registryUrl: string) =>
    register({
      ...{ registryUrl, service: 'user-service', host: '127.0.0.1', port: 1, metadata: {}, log: recordedLog() },
      directory: { onConnect: () => () => {} },
    })
  const registration = enter(`http://127.0.0.1:${portOf(registry)}`)
  let isEntered = false
  void registration.entered.then(() => {
    isEntered = true
  })
  const answer = await asked.promise
  expect(isEntered).toBe(false)
  answer.writeHead(201, { 'content-type': 'application/json' }).end('{"id":"user-service-1"}')
  await registration.entered
  await registration.leave()

  const nobody = enter('http://127.0.0.1:1')
  await nobody.entered
  await nobody.leave()
  const silent = createServer(() => {})
  onTestFinished(() => {
    silent.closeAllConnections()
    silent.close()
  })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const waiting = enter(`http://127.0.0.1:${portOf(silent)}`)
  await waiting.entered
  silent.closeAllConnections()
  await waiting.leave()
})
