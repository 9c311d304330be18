import { request } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'
import type { Experience, GoodClientOptions, GoodRequest } from './good-client.ts'
import { residentBytes } from './resident.ts'

/** Between two requests: often enough for a p99 of a second or two, seldom enough to be no load. */
const EVERY_MS = 10
/** When an answer is given up. */
const PATIENCE_MS = 5_000

const { url, machineUrl, pid, requests }: GoodClientOptions = workerData
const failures = new Set<string>()
const underWay = new Set<Promise<void>>()
let latencies: number[] = []
let machineLatencies: number[] = []
let most = 0
let asked = 0
let ticks: NodeJS.Timeout | undefined

parentPort?.on('message', async (word: 'ask' | 'rest') => {
  if (word === 'ask') ticks = setInterval(tick, EVERY_MS)
  else {
    clearInterval(ticks)
    await Promise.all(underWay)
    parentPort?.postMessage(takeExperience())
  }
})

function tick() {
  most = Math.max(most, residentBytes(pid))
  const next = requests[asked++ % requests.length] ?? { path: '/' }
  follow(new URL(next.path, url), next, (ms, failure) => {
    latencies.push(ms)
    if (failure !== undefined) failures.add(failure)
  })
  follow(new URL(machineUrl), { path: '/' }, (ms) => machineLatencies.push(ms))
}

function follow(target: URL, good: GoodRequest, note: (ms: number, failure: string | undefined) => void) {
  const since = performance.now()
  const answered = ask(target, good).then((failure) => {
    note(performance.now() - since, failure)
    underWay.delete(answered)
  })
  underWay.add(answered)
}

/** Resolves with what went wrong, if anything did. */
function ask(target: URL, { method = 'GET', path, body }: GoodRequest): Promise<string | undefined> {
  return new Promise((resolve) => {
    const wrong = (what: string) => resolve(`${method} ${path}: ${what}`)
    const asking = request(target, { method, agent: false, signal: AbortSignal.timeout(PATIENCE_MS) })
    asking.once('response', (answer) => {
      const { statusCode = 0 } = answer
      answer.resume()
      answer.once('error', ({ message }) => wrong(message))
      answer.once('end', () => (statusCode < 300 ? resolve(undefined) : wrong(String(statusCode))))
    })
    asking.once('error', ({ message }) => wrong(message))
    if (body !== undefined) asking.setHeader('content-type', 'application/json')
    asking.end(body)
  })
}

function takeExperience(): Experience {
  const experience = {
    asked: latencies.length,
    failures: [...failures],
    p99Ms: atShare(latencies, 0.99),
    worstMs: atShare(latencies, 1),
    machineP99Ms: atShare(machineLatencies, 0.99),
    resident: { most, last: residentBytes(pid) },
  }
  latencies = []
  machineLatencies = []
  failures.clear()
  most = 0
  return experience
}

function atShare(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? 0
}
