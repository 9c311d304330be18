import { Hono } from 'hono'
import * as z from 'zod'
import type { Clock } from '../../drivers/clock.ts'
import { identityOf } from '../../kit/auth/asker.ts'
import { AppError } from '../../kit/errors.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { eventStream } from '../../kit/http/event-stream.ts'
import { answerInParts, jsonInParts } from '../../kit/http/json-in-parts.ts'
import { route } from '../../kit/http/route.ts'
import type { Waits } from '../../kit/http/waits.ts'
import { hideInText } from '../../kit/secrets/secret-text.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'
import {
  Discovered,
  Done,
  InstanceRef,
  type InstanceStatus,
  Registered,
  Registration,
  ServiceList,
  ServiceName,
  ServiceStatus,
} from './contract.ts'
import { type Entry, whyUnhealthy } from './instances.ts'
import { lastHeartbeat } from './lease.ts'
import type { Registry } from './registry.ts'
import { type DeepReadonly, WatchStream } from './watch-stream.ts'

/** What the routes work with. */
export interface RegistryRoutesOptions {
  readonly registry: Registry
  /** Names this run of the registry in the watch stream. */
  readonly run: string
  readonly clock: Clock
  /** The watchers, counted. */
  readonly waits: Waits
  /** Told when a watch fails. */
  readonly log: Pick<Log, 'error'>
}

const Named = z.object({ name: z.string() })
const Watched = z.strictObject({ service: ServiceName.optional() })
const INVALID = 'Invalid registration data'
const NOT_FOUND = 'Service not found'

/** The registry's HTTP surface (design §5, seed 9.7.5). */
export function registryRoutes({ registry, run, clock, waits, log }: RegistryRoutesOptions): Hono<AppEnv> {
  const { instances } = registry
  const watching = new WatchStream(instances, run)
  const app = new Hono<AppEnv>()
  /** The instance that is meant, if who asks may speak for it. */
  async function allowed(ref: InstanceRef): Promise<Entry> {
    const entry = await registry.find(ref)
    allowService(entry.instance.service_name)
    return entry
  }
  const refRoute = (summary: string) =>
    route({
      summary,
      scope: 'registry:write',
      body: InstanceRef,
      invalid: INVALID,
      housekeeping: true,
      responses: { 200: Done, 404: 'Unknown', 409: 'A newer registration has its id' },
    })

  app.post(
    '/registry/register',
    route({
      summary: 'Register an instance',
      scope: 'registry:write',
      body: Registration,
      invalid: INVALID,
      housekeeping: true,
      responses: { 201: Registered, 409: 'An id of another service' },
    }),
    async (c) => {
      const given = c.req.valid('json')
      allowService(given.service_name)
      const { instance, fence } = await registry.register(given)
      return c.json({ status: 'registered' as const, id: instance.id, fence }, 201)
    },
  )
  app.post('/registry/heartbeat', refRoute('Renew the lease of an instance'), async (c) => {
    registry.heartbeat(await allowed(c.req.valid('json')))
    return c.json({ status: 'ok' as const })
  })
  app.post('/registry/unhealthy', refRoute('Take an instance out of rotation until its next heartbeat'), async (c) => {
    await registry.markUnhealthy(await allowed(c.req.valid('json')))
    return c.json({ status: 'unhealthy' as const })
  })
  app.post('/registry/drain', refRoute('Take an instance out of rotation until it registers again'), async (c) => {
    await registry.drain(await allowed(c.req.valid('json')))
    return c.json({ status: 'draining' as const })
  })
  app.post('/registry/deregister', refRoute('Forget an instance'), async (c) => {
    await registry.deregister(await allowed(c.req.valid('json')))
    return c.json({ status: 'deregistered' as const })
  })

  app.get(
    '/registry/discover/:name',
    route({
      summary: 'One healthy instance of a service',
      scope: 'registry:read',
      params: Named,
      responses: { 200: Discovered, 404: NOT_FOUND },
    }),
    (c) => {
      const found = instances.discover(c.req.valid('param').name)
      if (!found) throw new AppError('NOT_FOUND', NOT_FOUND)
      const { service_name, host, port, url } = found
      return c.json({ service_name, host, port, url })
    },
  )
  app.get(
    '/registry/services',
    route({ summary: 'All services and their instances', scope: 'registry:read', responses: { 200: ServiceList } }),
    (c) => {
      const services = [...instances.byService()].sort(([a], [b]) => (a < b ? -1 : 1))
      const none: z.input<typeof ServiceList> = { services: [] }
      return answerInParts(
        c,
        jsonInParts(none, services, ([name, entries]) => serviceInParts(name, entries, clock)),
      )
    },
  )
  app.get(
    '/registry/services/:name',
    route({
      summary: 'The instances of one service',
      scope: 'registry:read',
      params: Named,
      responses: { 200: ServiceStatus, 404: NOT_FOUND },
    }),
    (c) => {
      const { name } = c.req.valid('param')
      const entries = instances.byService().get(name)
      if (!entries) throw new AppError('NOT_FOUND', NOT_FOUND)
      return answerInParts(c, serviceInParts(name, entries, clock))
    },
  )
  app.get(
    '/registry/watch',
    route({
      summary: 'All healthy instances, then each change (server-sent events)',
      scope: 'registry:read',
      query: Watched,
      housekeeping: true,
      responses: { 200: 'text/event-stream', 429: 'Too many wait' },
    }),
    (c) => {
      const { service } = c.req.valid('query')
      return eventStream(c, { waits, log }, (events) => watching.follow(events, service))
    },
  )
  return app
}

/** A service speaks for itself only; `registry:admin`, and a local caller, speaks for all. */
function allowService(service: string): void {
  const asker = currentScope()?.asker
  if (asker?.is === 'local') return
  const identity = identityOf(asker)
  if (identity?.is === 'service' && identity.subject === service) return
  if (identity?.scopes.has('registry:admin')) return
  throw new AppError('FORBIDDEN', 'A service speaks only for itself', {
    detail: `This token is not ${service}'s, and lacks the scope registry:admin`,
  })
}

function serviceInParts(name: string, entries: readonly Entry[], clock: Clock): Iterable<string> {
  const healthy = entries.filter((entry) => whyUnhealthy(entry) === undefined).length
  const service: z.input<typeof ServiceStatus> = { service_name: name, healthy, total: entries.length, instances: [] }
  return jsonInParts(
    service,
    entries.values().map((entry) => describeInstance(entry, clock)),
  )
}

function describeInstance(entry: Entry, clock: Clock): DeepReadonly<InstanceStatus> {
  const { instance, healthCheckUrl, registeredAt, lease } = entry
  const why = whyUnhealthy(entry)
  const reason = why ?? (lease.at === 'preserved' ? 'kept although silent: too many fell silent at once' : undefined)
  const heartbeat = lastHeartbeat(lease)
  return {
    ...instance,
    ...(healthCheckUrl !== undefined && { health_check_url: hideInText(healthCheckUrl) }),
    health: why === undefined ? 'healthy' : 'unhealthy',
    ...(reason !== undefined && { reason }),
    registered_at: new Date(registeredAt).toISOString(),
    ...(heartbeat !== undefined && { heartbeat_seconds: Math.round((clock.monotonic() - heartbeat) / 100) / 10 }),
  }
}
