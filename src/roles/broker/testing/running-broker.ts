import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as z from 'zod'
import type { Bus, BusLimits } from '../../../drivers/bus/contract.ts'
import { embeddedDriver } from '../../../drivers/bus/embedded.ts'
import type { Clock } from '../../../drivers/clock.ts'
import type { Authority } from '../../../kit/auth/authority.ts'
import type { Identity } from '../../../kit/auth/identity.ts'
import { AppError } from '../../../kit/errors.ts'
import type { Check, Failing, HealthCheck } from '../../../kit/health-check.ts'
import { testWaits } from '../../../kit/http/testing/waits.ts'
import { createLifecycle } from '../../../kit/lifecycle.ts'
import { LOCAL_AUTHORITY, listenBehindChain } from '../../../kit/middleware/testing/chained-listener.ts'
import type { Running } from '../../../kit/role.ts'
import type { Log } from '../../../kit/telemetry/log.ts'
import { createMetrics } from '../../../kit/telemetry/metrics.ts'
import { createTracing } from '../../../kit/telemetry/tracer.ts'
import type { SpanRecord } from '../../../kit/telemetry/tracing.ts'
import { turnClock } from '../../../kit/testing/turns.ts'
import { type BrokerContext, startBroker } from '../broker.ts'
import { BrokerConfig } from '../config.ts'
import type { DeadLetter, DelayedMessage, Delivery, Receipt, SubscriptionState, TopicState } from '../contract.ts'

/** The fields of all that the broker answers, each as its contract has it: a test reads those of the answer that it asked for. */
interface Body extends z.output<typeof SubscriptionState>, z.output<typeof Receipt> {
  readonly messages: readonly z.output<typeof Delivery>[]
  readonly subscriptions: readonly z.output<typeof SubscriptionState>[]
  readonly dead_letters: readonly z.output<typeof DeadLetter>[]
  readonly delayed: readonly z.output<typeof DelayedMessage>[]
  readonly topics: readonly z.output<typeof TopicState>[]
  readonly next: string | null
  readonly detail: string
  readonly paths: object
}

interface Answer {
  readonly status: number
  readonly body: Body
}

/** A broker behind a real port, with the whole chain around it. */
export interface RunningBroker extends AsyncDisposable {
  readonly url: string
  readonly bus: Bus
  /** What its leases go by: it stands still while the process does. */
  readonly clock: Clock
  /** Lets milliseconds pass by it at once. */
  pass(ms: number): void
  /** What the role itself logged. */
  readonly lines: readonly string[]
  /** The warnings among it. */
  readonly warnings: readonly string[]
  readonly spans: readonly SpanRecord[]
  /** Calls it; a body that is no text is sent as JSON. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Stops it and leaves its folder, to be started again on it. */
  stop(): Promise<void>
}

/** How a test's broker differs from the real one. */
export interface RunOptions {
  /** Default: a new one, removed at the end. */
  readonly folder?: string
  /** What differs in its section of the configuration. */
  readonly config?: z.input<typeof BrokerConfig>
  /** In token mode, these may call: by their tokens. */
  readonly askers?: Readonly<Record<string, Identity>>
  /** Free bytes of the disk, as the bus sees them. */
  readonly freeBytes?: () => number
  readonly start?: (ctx: BrokerContext & { readonly log: Log }) => Promise<Pick<Running, 'app'>>
}

/** Starts a broker on a free port; disposing of it stops it and removes its folder. */
export async function runBroker({
  folder: given,
  config = {},
  askers,
  freeBytes,
  start = startBroker,
}: RunOptions = {}): Promise<RunningBroker> {
  const folder = given ?? (await mkdtemp(join(tmpdir(), 'msvc-broker-')))
  const life = createLifecycle(() => {})
  const turns = turnClock()
  life.defer(async () => turns[Symbol.dispose]())
  let passed = 0
  const clock: Clock = { ...turns, monotonic: () => turns.monotonic() + passed }
  const lines: string[] = []
  const warnings: string[] = []
  const spans: SpanRecord[] = []
  const write = (message: string) => void lines.push(message)
  const warn = (message: string) => {
    warnings.push(message)
    write(message)
  }
  const log: Log = { debug: write, info: write, warning: warn, error: write, critical: write }
  const tracing = createTracing({ service: 'broker', clock, ship: (span) => spans.push(span) })
  const metrics = createMetrics('broker')
  const authority = askers ? tokenAuthority(askers) : LOCAL_AUTHORITY
  const driver = embeddedDriver(freeBytes && { freeBytes })
  let opened: Bus | undefined
  const open = async (limits: BusLimits = {}) => {
    const bus = await driver.open({ ...limits, url: 'embedded:', folder, clock })
    life.defer(() => bus.close())
    opened = bus
    return bus
  }
  const checks = new Map<string, HealthCheck>()
  const context = {
    service: 'broker',
    authority,
    directory: {
      instances: () => [],
      settled: Promise.resolve(),
      waitFor: () => new Promise<never>(() => {}),
      onChange: () => () => {},
      close: async () => {},
    },
    bus: open,
    clock,
    config: BrokerConfig.parse(config),
    metrics,
    tracing,
    log,
    signal: life.signal,
    waits: testWaits(life.signal),
    check: (name: string, check: Check, failing: Failing = 'unhealthy') => void checks.set(name, { check, failing }),
    defer: life.defer,
  }
  const { app } = await start(context)
  const bus = opened ?? (await open())
  const listener = await listenBehindChain({ app }, { service: 'broker', metrics, tracing, authority, checks })
  life.defer(() => listener.drain(1_000))
  const url = `http://127.0.0.1:${listener.port}`
  return {
    url,
    bus,
    clock,
    pass(ms) {
      passed += ms
    },
    lines,
    warnings,
    spans,
    stop: () => life.stop(),
    async call(method, path, body, headers = {}) {
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
      const answer = await fetch(url + path, { method, headers, ...(text !== undefined && { body: text }) })
      const answered = await answer.text()
      const isJson = answer.headers.get('content-type')?.includes('json')
      return { status: answer.status, body: isJson ? JSON.parse(answered) : answered }
    },
    async [Symbol.asyncDispose]() {
      await life.stop()
      if (given === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Lets these in by their tokens, and nobody else. */
function tokenAuthority(askers: Readonly<Record<string, Identity>>): Authority {
  return {
    ...LOCAL_AUTHORITY,
    mode: 'token',
    async verify(token) {
      const asker = askers[token]
      if (asker) return asker
      throw new AppError('UNAUTHENTICATED', 'Unauthorized')
    },
  }
}
