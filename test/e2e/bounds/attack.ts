import { setTimeout as delay } from 'node:timers/promises'
import { Crowd } from './crowd.ts'
import { type Experience, GoodClient, type GoodRequest } from './good-client.ts'
import { serveRole } from './role-process.ts'
import { standIn } from './stand-in.ts'

/** A role under attack, and the means of the attacker. */
export interface Victim {
  readonly url: string
  readonly port: number
  /** The attacker's connections; those that are left are reset when the attack is over. */
  readonly crowd: Crowd
  /** Posts JSON, or text as it is. Resolves with the status and the parsed answer. */
  post(path: string, body: unknown): Promise<{ readonly status: number; readonly answer: unknown }>
}

/** A configuration file's content. */
interface AttackConfig {
  readonly services?: object
  readonly [section: string]: unknown
}

/** One greedy client, and the good ones that it must not hurt. */
export interface Attack {
  /** What the attacker does. */
  readonly name: string
  /** Whom: a role's CLI word. */
  readonly role: string
  /** What differs from the default configuration; as a function of a service's URL it gets a stand-in for one. */
  readonly config?: AttackConfig | ((service: string) => AttackConfig)
  /** What a role that has lived a while holds, and harmless work of the attack's size, so that memory is compared like with like. */
  readonly prepare?: (victim: Victim) => Promise<void>
  /** What an honest client does as much of, beside which the good one is watched first. Default: nothing. */
  readonly harmless?: (victim: Victim) => Promise<unknown>
  /** Does its worst. Bounded in count; what isn't over after `ATTACK_MS` is ended. */
  readonly attack: (victim: Victim) => Promise<unknown>
  /** What the good client asks meanwhile, in turn. */
  readonly good: readonly GoodRequest[]
}

/** What an attack did to a good client and to the role's memory. */
export interface Outcome {
  /** Before it (or beside the harmless), beside it, and then until all was well again. */
  readonly before: Experience
  readonly during: Experience
  readonly after: Experience
}

const WARM_MS = 400
const QUIET_MS = 1_000
/** How long the good client is watched beside the attack, at least and at most. */
const LEAST_MS = 1_500
const ATTACK_MS = 4_000
/** How long a role may take until it answers again and has given memory back. */
const RECOVERY_MS = 10_000
const LOOK_MS = 250

/** An attack may cost a role so much memory, and may keep so much of it. */
const MEMORY_BYTES = 64 * 1024 * 1024
/** No good client waits longer, whatever happens. */
const WORST_MS = 1_000
/** A p99 below this is good whatever it was before: the role, the attacker and the good client share two cores, and wait for each other by so much. */
const FLOOR_MS = 25

/** Runs one attack against a fresh role. */
export async function suffer({ role, config = {}, prepare, harmless, attack, good }: Attack): Promise<Outcome> {
  await using service = await standIn()
  await using machine = await standIn()
  const { services = {}, ...differing } = typeof config === 'function' ? config(service.url) : config
  // somebody takes the role's own entries and spans, as on any platform
  await using process = await serveRole(role, { services: { 'log-server': machine.url, ...services }, ...differing })
  using crowd = new Crowd(process.port)
  const victim: Victim = { ...process, crowd, post: (path, body) => post(process.url, path, body) }
  await using client = new GoodClient({ url: process.url, pid: process.pid, machineUrl: machine.url, requests: good })
  await prepare?.(victim)
  await client.askUntil(delay(WARM_MS))
  const before = await client.askUntil(Promise.all([harmless?.(victim), delay(QUIET_MS)]))
  const worst = Promise.race([attack(victim), delay(ATTACK_MS)])
  const during = await client.askUntil(Promise.all([worst, delay(LEAST_MS)]))
  crowd[Symbol.dispose]()
  const after = await recovery(client, before.resident.last + MEMORY_BYTES)
  return { before, during, after }
}

/** What an outcome has beyond the bars; nothing when the role held. */
export function broken({ before, during, after }: Outcome): readonly string[] {
  const bar = Math.min(Math.max(2 * before.p99Ms, 2 * during.machineP99Ms, FLOOR_MS), WORST_MS)
  const grown = Math.max(during.resident.most, after.resident.most) - before.resident.last
  const kept = after.resident.last - before.resident.last
  return [
    ...during.failures,
    ...after.failures.map((failure) => `even afterwards: ${failure}`),
    ...(during.p99Ms > bar ? [`a good client's p99 rose from ${ms(before.p99Ms)} to ${ms(during.p99Ms)}`] : []),
    ...(during.worstMs > WORST_MS ? [`a good client waited ${ms(during.worstMs)}`] : []),
    ...(grown > MEMORY_BYTES ? [`memory rose by ${mb(grown)}`] : []),
    ...(kept > MEMORY_BYTES ? [`${mb(kept)} were kept`] : []),
  ]
}

/** The figures of an outcome, in one line. */
export function figures({ before, during, after }: Outcome): string {
  const base = before.resident.last
  const most = Math.max(during.resident.most, after.resident.most)
  return [
    `p99 ${ms(before.p99Ms)} -> ${ms(during.p99Ms)} (machine ${ms(before.machineP99Ms)} -> ${ms(during.machineP99Ms)})`,
    `worst ${ms(during.worstMs)}`,
    `memory ${mb(base)} +${mb(most - base)}, kept ${mb(after.resident.last - base)}`,
  ].join(', ')
}

const ms = (value: number) => `${value.toFixed(1)} ms`
const mb = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MB`

/** Waits until the role answers again and its memory is within `bytes`, for a while; what was met with at the end. */
async function recovery(client: GoodClient, bytes: number): Promise<Experience> {
  const since = performance.now()
  let most = 0
  for (;;) {
    const now = await client.askUntil(delay(LOOK_MS))
    most = Math.max(most, now.resident.most)
    const isWell = now.failures.length === 0 && now.resident.last <= bytes
    if (isWell || performance.now() - since > RECOVERY_MS) return { ...now, resident: { ...now.resident, most } }
  }
}

async function post(url: string, path: string, body: unknown): Promise<{ status: number; answer: unknown }> {
  const text = typeof body === 'string'
  const answer = await fetch(new URL(path, url), {
    method: 'POST',
    headers: { 'content-type': text ? 'application/x-ndjson' : 'application/json' },
    body: text ? body : JSON.stringify(body),
  })
  const said = await answer.text()
  return { status: answer.status, answer: said === '' ? undefined : JSON.parse(said) }
}
