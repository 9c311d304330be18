import { systemClock } from '../../drivers/clock.ts'
import { AppError } from '../../kit/errors.ts'
import { parseMoment } from '../../kit/telemetry/timestamps.ts'
import { type Entry, EntryPage, Entry as EntrySchema } from '../../roles/log-server/contract.ts'
import { ServiceList } from '../../roles/registry/contract.ts'
import { formatLogEntry } from '../render/log-entry.ts'
import { createPaint } from '../render/paint.ts'
import { visibleText } from '../render/visible-text.ts'
import { type Api, connect } from '../session/api.ts'
import { configureClient } from '../session/configuration.ts'
import type { Session } from '../session/session.ts'
import { unknownService } from '../session/unknown-service.ts'
import { follow, parseEvent } from './follow.ts'
import { parseLimit } from './limit.ts'

/** Flags of `msvc logs` as commander gives them. */
export interface LogsFlags {
  readonly follow?: boolean
  readonly service?: string
  readonly level?: string
  readonly trace?: string
  readonly grep?: string
  readonly since?: string
  readonly until?: string
  readonly limit: string
}

/** The log server gives at most so many at once. */
const PAGE = 1_000

/** What `msvc logs` does: prints what is there, oldest first, and then, when asked to follow, what comes. */
export async function printLogs(session: Session, flags: LogsFlags): Promise<void> {
  const limit = parseLimit(flags.limit)
  const filter = {
    ...(flags.service !== undefined && { service: flags.service }),
    ...(flags.level !== undefined && { level: flags.level }),
    ...(flags.trace !== undefined && { trace_id: flags.trace }),
    ...(flags.grep !== undefined && { q: flags.grep }),
  }
  const span = { ...moment('since', flags.since), ...moment('until', flags.until) }
  const { colour } = session.io.out
  let day = new Date(systemClock.now()).toISOString().slice(0, 10)
  const show = (entry: Entry) => {
    // lines have the time of day alone
    if (!entry.timestamp.startsWith(day)) {
      day = entry.timestamp.slice(0, 10)
      session.print(createPaint(colour).dim(`— ${day} UTC`))
    }
    session.print(formatLogEntry(entry, { colour }))
    session.printJson(entry)
  }

  const api = await connect(session, 'log-server')
  const newestFirst: Entry[] = []
  let after: string | null = null
  do {
    const query = { ...filter, ...span, limit: Math.min(PAGE, limit - newestFirst.length), ...(after && { after }) }
    const page: EntryPage = await api.ask(EntryPage, '/logs', { query })
    newestFirst.push(...page.entries)
    after = page.next
  } while (after !== null && newestFirst.length < limit)
  for (const entry of newestFirst.toReversed()) show(entry)
  if (newestFirst.length === 0) await explainNothing(session, api, flags)
  if (!flags.follow) return
  const last = newestFirst[0]?.id
  await follow(session, api, {
    role: 'log-server',
    path: `/logs/tail?${new URLSearchParams(filter)}`,
    onData: (data) => show(EntrySchema.parse(parseEvent(data, 'log-server'))),
    ...(last !== undefined && { after: last }),
  })
}

/** Why nothing was printed. Throws AppError `NOT_FOUND` for a service that nobody knows and that has never said anything, unless it is waited for. */
async function explainNothing(session: Session, api: Api, { service, trace, follow }: LogsFlags): Promise<void> {
  const unknown = service === undefined ? undefined : unknownService(service, await configureClient(session))
  if (service !== undefined && unknown !== undefined && !(await isRegistered(session, service))) {
    const { entries } = await api.ask(EntryPage, '/logs', { query: { service, limit: 1 } })
    const message = `${visibleText(unknown)}; msvc ps lists what runs`
    if (entries.length === 0 && !follow) throw new AppError('NOT_FOUND', message)
    if (entries.length === 0) return session.messages.warn(`${message}; waiting for its entries`)
  }
  if (trace !== undefined) session.messages.warn(noEntry(trace))
  else if (!follow) session.messages.info('no entry fits')
}

/** Whether it runs elsewhere, or has joined the platform; false too where the registry doesn't say. */
async function isRegistered(session: Session, service: string): Promise<boolean> {
  try {
    const { services } = await (await connect(session, 'registry')).ask(ServiceList, '/registry/services')
    return services.some(({ instances }) => instances.some(({ service_name }) => service_name === service))
  } catch {
    return false
  }
}

function noEntry(trace: string): string {
  const doubt = /^[0-9a-f]{32}$/i.test(trace) ? '' : '; trace ids have 32 hexadecimal digits, as a rule'
  return `no entry is of the trace ${visibleText(trace.slice(0, 60))}${doubt}`
}

function moment(name: 'since' | 'until', text: string | undefined): Readonly<Record<string, string>> {
  if (text === undefined) return {}
  if (parseMoment(text, 0) !== undefined) return { [name]: text }
  throw new AppError(
    'USAGE',
    `--${name} wants a time such as 2026-01-31T12:00:00Z, or an age such as 10m, 2h or 1d, not ${text}`,
  )
}
