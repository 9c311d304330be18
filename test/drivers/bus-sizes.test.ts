import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBus } from '../../src/drivers/bus/open.ts'
import { systemClock as clock } from '../../src/drivers/clock.ts'
import { moveBus, planBus } from '../../src/kit/migration/bus-move.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { never } from './bus-fixture.ts'

const MOST = 32_768

/** A message of so many bytes. */
const message = (id: string, size: number, more: object = {}) => ({
  id,
  topic: 'shop.pictures',
  payload: `"${'x'.repeat(size - 2)}"`,
  attributes: {},
  ...more,
})

describe.skipIf(!isHere('nats-server'))('a bus with a message that is too large for where it moves', () => {
  let small: NatsServer
  let other: NatsServer
  let folder = ''
  let names = 0
  beforeAll(async () => {
    ;[small, other] = await Promise.all([startNats({ config: `max_payload: ${MOST}` }), startNats()])
    folder = await mkdtemp(join(tmpdir(), 'msvc-sizes-'))
  })
  afterAll(async () => {
    await Promise.all([small[Symbol.asyncDispose](), other[Symbol.asyncDispose]()])
    await rm(folder, { recursive: true, force: true })
  })

  const sources = [
    ['a file', () => ({ url: 'embedded:', folder: join(folder, `${names++}`), clock })],
    ['NATS', () => ({ url: `${other.url}/n${names++}`, folder: '', clock })],
  ] as const
  const kinds = ['stands in its topic', 'waits for its time', 'is a dead letter'] as const

  const cases = sources.flatMap(([name, at]) => kinds.map((kind) => ({ name, kind, at })))
  it.each(cases)('says so before it begins, of one in $name that $kind', async ({ kind, at }) => {
    const from = at()
    const bus = await openBus(from)
    const { id } = await bus.subscribe({ topic: 'shop.>', maxDeliver: 1 })
    await bus.publish([
      message('small', 10),
      message('large', MOST + 100, kind === 'waits for its time' ? { delayMs: 60_000 } : {}),
    ])
    if (kind === 'is a dead letter') {
      const got = await bus.pull(id, { max: 10, waitMs: 20_000, signal: never })
      await bus.nack(
        id,
        got.map(({ ack }) => ack),
      )
    }
    await bus.close()
    const to = { url: `${small.url}/to${names++}`, folder: '', clock }
    const move = { from, to, run: 'one', signal: never, onProgress: () => {} }
    const fault = {
      kind: 'too-large',
      message: expect.stringMatching(
        /^the message "large" of shop\.pictures is too large: it has 33\d{3} bytes .* max_payload is 32768\)/,
      ),
    }
    await expect(planBus(move)).rejects.toMatchObject(fault)
    await expect(moveBus(move)).rejects.toMatchObject(fault)
    await expect(planBus({ ...move, to: { ...to, url: other.url } })).resolves.toMatchObject({ topics: 1 })
  })
})
