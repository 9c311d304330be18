import { embedded } from '../../src/drivers/bus/embedded.ts'
import { systemClock } from '../../src/drivers/clock.ts'

// A process made to be killed: publishes to the bus in a folder without end, several calls at a time, and prints
// each id on a line of its own once it is acknowledged. Arguments: folder, prefix of the ids, longest delay in milliseconds.
const [folder = '', prefix = '', delay = '0'] = process.argv.slice(2)
const bus = await embedded.open({ url: 'embedded:', folder, clock: systemClock })
let next = 0

async function publisher(): Promise<never> {
  for (;;) {
    const messages = Array.from({ length: 1 + (next % 4) }, () => {
      const n = next++
      const delayMs = Math.floor(Math.random() * Number(delay))
      return {
        id: `${prefix}-${n}`,
        topic: `t.${n % 2}`,
        payload: `{"n":${n}}`,
        attributes: { source: '/test' },
        delayMs,
      }
    })
    const receipts = await bus.publish(messages)
    // A pipe's writes are synchronous: what the parent reads was said before the process died.
    process.stdout.write(receipts.map(({ id }) => `${id}\n`).join(''))
  }
}

await Promise.all(Array.from({ length: 16 }, publisher))
