import { natsDriver } from '../../src/drivers/bus/nats.ts'
import { systemClock } from '../../src/drivers/clock.ts'

// A broker made to be killed: takes what there is from a group, prints what it got, and acknowledges none of it.
// Arguments: URL, topic, group, how many messages.
const [url = '', topic = '', group = '', count = '1'] = process.argv.slice(2)
const bus = await natsDriver('nats:').open({ url, folder: '', clock: systemClock })
const { id } = await bus.subscribe({ topic, group, from: 'first' })
const { signal } = new AbortController()
for (let left = Number(count); left > 0; ) {
  const got = await bus.pull(id, { max: left, waitMs: 30_000, signal, consumer: 'c' })
  left -= got.length
  // a pipe's writes are synchronous: what the parent reads was said before the process died
  for (const delivery of got) process.stdout.write(`${JSON.stringify([delivery.id, delivery.ack])}\n`)
}
process.stdout.write('all\n')
