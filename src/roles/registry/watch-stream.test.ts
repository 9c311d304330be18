import { expect, it } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import type { EventStream } from '../../kit/http/event-stream.ts'
import { Frame } from '../../kit/http/frame.ts'
import { Instances } from './instances.ts'
import { LEASE_LIMITS } from './lease.ts'
import { WatchStream } from './watch-stream.ts'

/** What a watcher is sent first. */
async function firstOf(watching: WatchStream, service?: string): Promise<Frame> {
  const sent: unknown[] = []
  const events: EventStream = {
    signal: AbortSignal.abort(),
    over: Promise.resolve(),
    hasRoom: true,
    send: (event) => sent.push(event) > 0,
    room: () => Promise.resolve(false),
    cut: () => {},
  }
  await watching.follow(events, service)
  const [frame] = sent
  if (frame instanceof Frame) return frame
  throw new Error('the snapshot is no frame to be shared')
}

const dataOf = ({ pieces }: Frame) => JSON.parse(/^data: (.*)$/m.exec(Buffer.concat(pieces).toString())?.[1] ?? '')

const PLACE = { scheme: 'http', host: '127.0.0.1', port: 8_000, base_path: '' } as const

it('writes a snapshot out once for all who watch the same at the same revision', async () => {
  let ids = 0
  const newId = () => `id-${++ids}`
  const instances = new Instances({
    clock: systemClock,
    limits: LEASE_LIMITS,
    maxInstances: 10,
    maxPerService: 10,
    newId,
  })
  const watching = new WatchStream(instances, 'run-1')
  const add = (service_name: string) =>
    instances.register({ ...PLACE, service_name, tags: [']}'], metadata: { $: '$&' } }).instance
  const user = add('user-service')
  const order = add('order-service')
  const before = await firstOf(watching)
  expect(await firstOf(watching)).toBe(before)
  expect(dataOf(before)).toEqual({ registry: 'run-1', revision: 2, instances: [user, order] })
  expect(dataOf(await firstOf(watching, 'order-service')).instances).toEqual([order])
  expect(dataOf(await firstOf(watching, 'nobody')).instances).toEqual([])
  add('payment-service')
  expect(await firstOf(watching)).not.toBe(before)
})
