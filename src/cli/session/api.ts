import { type FetchOptions, ofetch } from 'ofetch'
import type * as z from 'zod'
import { systemClock } from '../../drivers/clock.ts'
import type { Scope } from '../../kit/auth/scopes.ts'
import { platformAuthority } from '../../kit/config/platform-authority.ts'
import { AppError, type ErrorCode } from '../../kit/errors.ts'
import { parseLiteral } from '../../kit/exact-json.ts'
import { isRecord } from '../../kit/record.ts'
import { configureClient, type Reached, requireDataFolder } from './configuration.ts'
import { locate, nothingRuns, type Place, whereElse } from './place.ts'
import type { Session } from './session.ts'

/** Longest wait for an answer, milliseconds. */
const TIMEOUT_MS = 10_000
/** What the commands do at each role. The person who holds the data folder's keys could mint more. */
const SCOPES: Readonly<Record<string, readonly Scope[]>> = {
  registry: ['registry:read'],
  'config-server': ['config:read', 'config:write'],
  'log-server': ['logs:read'],
  broker: ['messages:read', 'messages:publish', 'messages:consume', 'messages:admin'],
}
const SECRETS: Scope = 'config:secrets'

/** One role over HTTP. */
export interface Api {
  /** Its address in words: that of the configuration may not be where it ran before. */
  readonly place: string
  /** Sends one request, and gives the JSON of the answer (undefined for 204). Throws AppError `UNREACHABLE` (also when its signal fires), `UPSTREAM_FAILED`, `RATE_LIMITED`. */
  call(path: string, options?: FetchOptions<'json'>): Promise<unknown>
  /** The same for an answer of a known shape. Throws `UPSTREAM_FAILED` also where it has another: somebody else's program may listen there. */
  ask<S extends z.ZodType>(shape: S, path: string, options?: FetchOptions<'json'>): Promise<z.output<S>>
  /** Opens a stream of server-sent events. Throws as `call` does for a refused one. @param method POST for a stream that takes what it shows. Default GET */
  open(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    method?: 'GET' | 'POST',
  ): Promise<Response>
}

/**
 * Connects to a role by its CLI word. Nothing is sent to it yet. In token mode every request carries a token of its own making.
 * @param options `secrets`: with the right to see secret values, which takes a token in local mode too
 */
export async function connect(session: Session, name: string, { secrets = false } = {}): Promise<Api> {
  const reached = await withRegistered(session, name, await configureClient(session))
  const { settings } = reached
  const { url, elsewhere, service, isGuess } = locate(name, reached, reached.named)
  const place = isGuess ? `${url}, which is only where the configuration has it: ${nothingRuns(settings.data)}` : url
  const authority = platformAuthority(settings, systemClock)
  const agent = { 'user-agent': `msvc-cli (${session.io.pid})` }
  const authorization = async (): Promise<Record<string, string>> => {
    if (authority.mode === 'local' && !secrets) return {}
    if (isGuess) throw guessedFault(name, { url, service }, settings.data)
    const scopes = [...(SCOPES[name] ?? []), ...(secrets ? [SECRETS] : [])]
    const { key_file: keyFile, jwks } = settings.auth
    if (keyFile === undefined) requireDataFolder(settings.data)
    // beside a role that has no key there is only the role's own token
    const token =
      jwks === undefined
        ? await authority.mint({ subject: 'msvc-cli', audience: service, scopes })
        : await authority.serviceToken('msvc-cli', service)
    return { authorization: `Bearer ${token}` }
  }
  let isTold = !isGuess
  /** Somebody answered at an address that was guessed. */
  const answered = () => {
    if (!isTold) session.messages.warn(`this is the platform at ${place}`)
    isTold = true
  }
  const api: Api = {
    place,
    async ask(shape, path, options) {
      const said = shape.safeParse(await api.call(path, options))
      if (said.success) return said.data
      throw new AppError('UPSTREAM_FAILED', `what answers at ${place} is no ${name} of msvc`, { cause: said.error })
    },
    async call(path, options = {}) {
      const headers = { ...agent, ...(await authorization()), ...Object.fromEntries(new Headers(options.headers)) }
      try {
        const signal = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(options.signal ? [options.signal] : [])])
        const how = { retry: 0, parseResponse: jsonOrText, ...options, signal, headers }
        const answer = await atFirst(
          [url, ...elsewhere],
          (baseURL): Promise<unknown> => ofetch(path, { ...how, baseURL }),
        )
        answered()
        return answer
      } catch (fault) {
        throw callFault(fault, name, place)
      }
    },
    async open(path, headers, signal, method = 'GET') {
      const how = { method, headers: { ...agent, ...(await authorization()), ...headers }, signal } as const
      const answer = await atFirst([url, ...elsewhere], (base) =>
        fetch(`${base}${path}`, { ...how, redirect: 'manual' }),
      )
      if (answer.ok) {
        answered()
        return answer
      }
      const data = jsonOrText(await answer.text().catch(() => ''))
      throw callFault({ status: answer.status, data }, name, place)
    },
  }
  return api
}

/** What is known, and where a registry elsewhere (REGISTRY_URL) has a role that nothing else says the place of: in a container, say, of another role. */
async function withRegistered(session: Session, name: string, reached: Reached): Promise<Reached> {
  const { settings, roles, running } = reached
  const service = roles.find((role) => role.name === name)?.service
  const isHere = running.some((state) => state.roles.some(({ role }) => role === name))
  const { registry } = settings.services
  if (name === 'registry' || registry === undefined || service === undefined || isHere || settings.services[service])
    return reached
  const { registeredAt } = await import('./registered.ts')
  const urls = await registeredAt(await connect(session, 'registry'), service)
  if (urls.length === 0) return reached
  return { ...reached, settings: { ...settings, services: { ...settings.services, [service]: urls.join() } } }
}

/** Asks the first replica of a role at which somebody listens: what was not taken is not done twice. */
async function atFirst<T>([url = '', ...others]: readonly string[], ask: (url: string) => Promise<T>): Promise<T> {
  try {
    return await ask(url)
  } catch (fault) {
    if (others.length === 0 || !nobodyListens(fault)) throw fault
    return atFirst(others, ask)
  }
}

function nobodyListens(fault: unknown): boolean {
  if (!(fault instanceof Error)) return false
  if ('code' in fault && (fault.code === 'ECONNREFUSED' || fault.code === 'ENOTFOUND')) return true
  return nobodyListens(fault.cause)
}

/** Whoever listens there could go to the platform with the token. */
function guessedFault(name: string, { url, service }: Pick<Place, 'url' | 'service'>, data: string): AppError {
  return new AppError(
    'UNREACHABLE',
    `${nothingRuns(data)}, and ${url} is only where the configuration has ${name}: it is sent no token; say where it is: ${whereElse(service)}`,
  )
}

/** An answer's JSON, its numbers to the letter: a command shows them as they are. */
function jsonOrText(text: string): unknown {
  try {
    return parseLiteral(text)
  } catch {
    return text
  }
}

/** What the commands tell apart. */
const CODE_OF: Readonly<Record<number, ErrorCode>> = { 400: 'INVALID_REQUEST', 429: 'RATE_LIMITED' }

/** A failed call in a sentence that says what to do. */
export function callFault(fault: unknown, name: string, place: string): AppError {
  const { status, data } = isRecord(fault) ? fault : {}
  if (status === 401) return new AppError('UPSTREAM_FAILED', strangerText(name, place), { cause: fault })
  if (fault instanceof AppError) return fault
  if (typeof status === 'number') {
    return new AppError(CODE_OF[status] ?? 'UPSTREAM_FAILED', `${name}: ${problemText(status, data)}`, { cause: fault })
  }
  const timedOut = fault instanceof Error && /timeout/i.test(`${fault.name} ${fault.message}`)
  if (timedOut)
    return new AppError('UNREACHABLE', `${name} at ${place} gave no answer in ${TIMEOUT_MS / 1_000} s`, {
      cause: fault,
    })
  return new AppError(
    'UNREACHABLE',
    `${name} isn't running at ${place}; start it with msvc up, or msvc serve ${name}`,
    {
      cause: fault,
    },
  )
}

function strangerText(name: string, place: string): string {
  return `${name} at ${place} wants a token of its own platform: name that platform's data folder with --data (on another machine one with a copy of its keys/), and run msvc as its user`
}

function problemText(status: number, data: unknown): string {
  const { error, detail } = isRecord(data) ? data : {}
  if (typeof detail === 'string' && detail !== '') return detail
  return typeof error === 'string' ? error : `answered ${status}`
}
