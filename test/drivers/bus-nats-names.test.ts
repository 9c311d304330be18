import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Connected, connectTo, namesUntold } from '../../src/drivers/bus/nats/connected.ts'
import { type Names, topicSubject } from '../../src/drivers/bus/nats/names.ts'
import { StreamWriter } from '../../src/drivers/bus/nats/stream-writer.ts'
import { makeStreams } from '../../src/drivers/bus/nats/streams.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'

/** Topics that there may be. */
const MOST = 3

describe.skipIf(!isHere('nats-server'))('changes of names on NATS', () => {
  let server: NatsServer
  let connected: Connected
  let writer: StreamWriter

  beforeAll(async () => {
    server = await startNats()
  })
  afterAll(() => server[Symbol.asyncDispose]())
  beforeEach(async () => {
    connected = await connectTo(`${server.url}/${randomUUID().slice(0, 13)}`)
    await makeStreams(connected.manager, connected.streams, connected.address)
    writer = new StreamWriter(connected.link, () => systemClock.monotonic())
  })
  afterEach(async () => {
    writer.close()
    await connected.link.close()
  })

  /** Makes topics as far as all of them have room. */
  function make(names: Names, topics: readonly string[]) {
    return names.change(() => {
      const unknown = topics.filter((topic) => !names.topics.has(topic))
      if (names.topics.size + unknown.length > MOST) throw new Error('too many')
      return { changes: unknown.map((topic) => ({ subject: topicSubject(connected.streams, topic), record: {} })) }
    })
  }

  /** Names whose every change finds that another broker's came first. */
  function overtaken(by: readonly string[]): Names {
    let overtaking: Promise<unknown> | undefined
    const write: StreamWriter['write'] = async (one) => {
      overtaking ??= make(namesUntold({ ...connected, writer }), by)
      await overtaking
      return writer.write(one)
    }
    return namesUntold({ ...connected, writer: { write } })
  }

  async function stored(): Promise<string[]> {
    const names = namesUntold({ ...connected, writer })
    await names.refresh()
    names.close()
    return [...names.topics.keys()]
  }

  it('are decided together: nothing of them is stored where another change came before the first', async () => {
    await expect(make(overtaken(['other']), ['a', 'b', 'c'])).rejects.toThrow('too many')
    expect(await stored()).toEqual(['other'])
  })

  it('are decided anew, and stored in their order, where there is room after another change', async () => {
    await make(overtaken(['other']), ['a', 'b'])
    expect(await stored()).toEqual(['other', 'a', 'b'])
  })

  it('are stored many at a time', async () => {
    const names = namesUntold({ ...connected, writer })
    const topics = Array.from({ length: 500 }, (_, n) => `t${n}`)
    await names.change(() => ({
      changes: topics.map((topic) => ({ subject: topicSubject(connected.streams, topic), record: {} })),
    }))
    names.close()
    expect(await stored()).toEqual(topics)
  })
})
