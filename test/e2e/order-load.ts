import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** An order that a client got a 201 for. */
export interface Taken {
  readonly id: number
  /** What the client asked for, in a name that no other order has. */
  readonly product: string
}

/** A request, and how long its answer took. */
interface Answer {
  readonly from: number
  readonly to: number
}

/** Clients that place orders through the gateway, and what they were told. */
export interface OrderLoad {
  readonly taken: readonly Taken[]
  /** What was answered, or happened, instead of a 201. */
  readonly failed: readonly unknown[]
  /** The longest answer to those asked since then, milliseconds. @param since of `performance.now()` */
  longest(since: number): number
  /** Resolves once those asked in a second were all answered soon: a platform that has just begun is slow by itself, and so is a busy machine for a while. */
  isWarm(): Promise<void>
  /** No further orders; resolves when those under way are answered. */
  stop(): Promise<void>
}

/** How often it is looked how many are due, milliseconds. */
const BEAT_MS = 10

/** What counts as soon, and how long it is waited for, milliseconds. */
const WARM_MS = 300
const WARM_WITHIN_MS = 30_000

/** Places orders, so many a second whatever becomes of them. Makes the user who orders first. */
export async function placeOrders(gateway: string, token: string, perSecond: number): Promise<OrderLoad> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2_000 })
  const post = (path: string, body: object) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const text = JSON.stringify(body)
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      }
      const asked = request(`${gateway}${path}`, { agent, method: 'POST', headers }, (answer) => {
        let said = ''
        answer.setEncoding('utf8').on('data', (part: string) => {
          said += part
        })
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: said })).on('error', reject)
      })
      asked.on('error', reject).end(text)
    })
  const made = await post('/gateway/api/users', { username: 'ann', email: 'ann@example.com' })
  const { id: userId }: { id: number } = JSON.parse(made.text)
  const taken: Taken[] = []
  const failed: unknown[] = []
  const answers: Answer[] = []
  const underWay = new Set<Promise<void>>()
  const began = performance.now()
  let sent = 0

  async function place(product: string) {
    const from = performance.now()
    try {
      const { status, text } = await post('/gateway/api/orders', {
        user_id: userId,
        product_name: product,
        quantity: 1,
      })
      answers.push({ from, to: performance.now() })
      if (status === 201) taken.push({ id: JSON.parse(text).id, product })
      else failed.push(`${status} ${text}`)
    } catch (fault) {
      failed.push(fault)
    }
  }

  const beat = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1_000) * perSecond)
    while (sent < due) {
      const one = place(`product-${sent++}`).finally(() => underWay.delete(one))
      underWay.add(one)
    }
  }, BEAT_MS)

  const longest = (since: number) =>
    answers.filter(({ from }) => from >= since).reduce((most, { from, to }) => Math.max(most, to - from), 0)

  return {
    taken,
    failed,
    longest,
    async isWarm() {
      for (const end = performance.now() + WARM_WITHIN_MS; performance.now() < end; ) {
        const since = performance.now()
        await delay(1_000)
        if (underWay.size < perSecond && longest(since) < WARM_MS) return
      }
    },
    async stop() {
      clearInterval(beat)
      await Promise.all(underWay)
      agent.destroy()
    },
  }
}
