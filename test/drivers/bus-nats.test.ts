import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe } from 'vitest'
import { nats } from '../../src/drivers/bus/nats.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { busSuite } from './bus-suite.ts'

describe.skipIf(!isHere('nats-server'))('on NATS', () => {
  let server: NatsServer
  beforeAll(async () => {
    server = await startNats()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  busSuite({
    driver: nats,
    // a bus of its own is a name of its own
    url: () => `${server.url}/${randomUUID().slice(0, 13)}`,
    isAtomic: false,
    isShared: true,
  })
})
