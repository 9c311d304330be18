import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import { systemClock } from '../../src/drivers/clock.ts'
import { createAuthority } from '../../src/kit/auth/local-authority.ts'
import { Platform, type Settings } from '../../src/kit/config/schema.ts'
import { type RunningHost, runRole } from '../../src/kit/host.ts'
import type { AnyRole, Running } from '../../src/kit/role.ts'
import type { LogEntry } from '../../src/kit/telemetry/log.ts'
import { loadRole } from '../../src/roles/catalog.ts'
import { ServiceList } from '../../src/roles/registry/contract.ts'
import { freePort } from '../servers/server.ts'

export interface BootOptions {
  /** Settings that differ from the defaults, as in a config file. */
  readonly platform?: Readonly<Record<string, unknown>>
  /** Sections by role that differ from the defaults. */
  readonly sections?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Names by role that differ from its own, as SERVICE_NAME says them. */
  readonly names?: Readonly<Record<string, string>>
}

/** Roles running in this process on free ports, in a data folder of their own. `await using` stops them and removes it. */
export interface Booted extends AsyncDisposable {
  readonly settings: Settings
  /** Log entries of all roles, in the order written. */
  readonly entries: readonly LogEntry[]
  url(role: string): string
  /** Where a role's loopback ports are, in its order. */
  loopback(role: string): readonly string[]
  fetch(role: string, path: string, init?: RequestInit): Promise<Response>
  /** `METHOD /path/:template` of all that a role answers itself, besides the kit's own paths. */
  routes(role: string): readonly string[]
  /** A token for the gateway. */
  token(subject: string, ...scopes: readonly string[]): Promise<string>
  /** Has a role take other values of its section while it runs. */
  reload(role: string, changes: Readonly<Record<string, unknown>>): Promise<void>
  /** Starts one more role, or one that was stopped; a number behind its name makes it a replica of that role. */
  start(role: string): Promise<void>
  stop(role: string): Promise<void>
}

/**
 * Boots roles in the order given, each ready before the next starts. The registry goes first. `order-2` is another order beside `order`.
 * @example await using platform = await boot(['registry', 'user'])
 */
export async function boot(
  roles: readonly string[],
  { platform = {}, sections = {}, names = {} }: BootOptions = {},
): Promise<Booted> {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-e2e-'))
  const settings = Platform.parse({ ...platform, data: join(folder, 'data') })
  const hosts = new Map<string, RunningHost>()
  const ports = new Map<string, number>()
  const apps = new Map<string, Running['app']>()
  const entries: LogEntry[] = []
  const authority = createAuthority({ ...settings.auth, folder: join(settings.data, 'keys'), clock: systemClock })

  async function start(name: string) {
    const role = (await loadRole(name)) ?? (await loadRole(name.replace(/-\d+$/, '')))
    if (!role) throw new Error(`no role ${name}`)
    const own = role.config.parse(sections[role.name] ?? {}) as Record<string, unknown>
    const watched: AnyRole = {
      ...role,
      async start(ctx) {
        const running = await role.start(ctx)
        apps.set(name, running.app)
        return running
      },
    }
    const host = await runRole(watched, {
      settings,
      ...(names[role.name] !== undefined && { service: names[role.name] }),
      section: { ...own, host: '127.0.0.1', port: ports.get(name) ?? (await freePort()) },
      registryUrl: ports.has('registry') ? `http://127.0.0.1:${ports.get('registry')}` : '',
      version: '0.0.0-test',
      clock: systemClock,
      sinks: [(entry) => void entries.push(entry)],
    })
    hosts.set(name, host)
    ports.set(name, host.port)
  }

  async function stop(name: string) {
    const host = hosts.get(name)
    hosts.delete(name)
    await host?.stop()
  }

  async function stopAll() {
    for (const name of [...hosts.keys()].reverse()) await stop(name)
    rmSync(folder, { recursive: true, force: true })
  }

  function hostOf(role: string): RunningHost {
    const host = hosts.get(role)
    if (!host) throw new Error(`${role} is not running`)
    return host
  }

  const url = (role: string) => hostOf(role).url

  /** Whether the registry has all roles: one says that it is ready too when it could not enter there within a second. */
  async function areKnown() {
    const audience = names.registry ?? 'registry'
    const token = await authority.mint({ subject: 'test', scopes: ['registry:read'], audience })
    const headers = settings.auth.mode === 'token' ? { authorization: `Bearer ${token}` } : {}
    const answer = await fetch(new URL('/registry/services', url('registry')), { headers })
    if (!answer.ok) return false
    const { services } = ServiceList.parse(await answer.json())
    const known = new Set(services.flatMap(({ instances }) => instances.map(({ port }) => port)))
    return [...hosts].every(([name, { port }]) => name === 'registry' || known.has(port))
  }

  try {
    for (const role of roles) await start(role)
    if (hosts.has('registry')) await vi.waitUntil(areKnown, { timeout: 20_000 })
  } catch (fault) {
    await stopAll()
    throw fault
  }
  return {
    settings,
    entries,
    url,
    loopback: (role) => hostOf(role).loopback.map(({ port }) => `http://127.0.0.1:${port}`),
    routes: (role) => [...new Set(apps.get(role)?.routes.map(({ method, path }) => `${method} ${path}`))],
    fetch: (role, path, init) => fetch(new URL(path, url(role)), init),
    token: (subject, ...scopes) => authority.mint({ subject, scopes, audience: names.gateway ?? 'api-gateway' }),
    reload: (role, changes) => hostOf(role).reload(changes),
    start,
    stop,
    [Symbol.asyncDispose]: stopAll,
  }
}
