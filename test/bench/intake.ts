import { join } from 'node:path'
import { inTurn } from './in-turn.ts'
import type { Load } from './load.ts'
import { startPlatform } from './platform.ts'
import { type Bar, ratio } from './report.ts'

/** What the searches look through. */
const ENTRIES = 1_000_000
const BATCH = 1_000
const AT_ONCE = 4

/** How much log intake is left while somebody searches all there is without an end, for what isn't there. */
export async function intake(wrk: string, folder: string): Promise<Bar> {
  await using platform = await startPlatform(join(folder, 'intake'), ['log-server'])
  const url = platform.url('log-server')
  const entry = {
    level: 'INFO',
    service: 'bench-service',
    message: 'an order was taken and paid',
    metadata: { order_id: 17 },
  }
  const headers = { 'content-type': 'application/json' }
  const batch = JSON.stringify(Array(BATCH).fill(entry))
  for (let sent = 0; sent < ENTRIES; sent += BATCH * AT_ONCE) {
    const posts = Array.from({ length: AT_ONCE }, () => fetch(`${url}/logs`, { method: 'POST', headers, body: batch }))
    for (const answer of await Promise.all(posts)) {
      if (!answer.ok) throw new Error(`the log server answered ${answer.status}: ${await answer.text()}`)
      await answer.body?.cancel()
    }
  }
  const load: Load = {
    url: `${url}/logs`,
    method: 'POST',
    connections: 8,
    seconds: 3,
    headers,
    body: `'${JSON.stringify(Array(100).fill(entry))}'`,
  }
  const stop = new AbortController()
  const alone = 'batches of 100 alone'
  const beside = 'batches of 100 beside a search'
  let searching: Promise<void> | undefined
  let searches = new AbortController()
  const between = async (name: string) => {
    // what was measured was alone, so the next one has company, and the other way round
    searches.abort()
    await searching
    searches = new AbortController()
    searching = name === alone ? search(url, AbortSignal.any([searches.signal, stop.signal])) : undefined
  }
  const rounds = await inTurn(wrk, { [alone]: load, [beside]: load }, { between })
  stop.abort()
  await searching
  return {
    name: 'log intake beside a search, of the same without one',
    figure: ratio(rounds, beside, alone),
    bar: { atLeast: 0.8 },
    rounds,
    note: `1 000 000 entries; the search is for a common word of a service that has no entry`,
  }
}

async function search(url: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const answer = await fetch(`${url}/logs?q=order&service=none`, { signal }).catch(() => undefined)
    await answer?.text().catch(() => undefined)
  }
}
