import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import type * as z from 'zod'
import { AppError, messageOf } from '../../kit/errors.ts'
import { Changed, DescribedValue, Description, History, LiveKeys } from '../../roles/config-server/contract.ts'
import { columns } from '../render/columns.ts'
import { visibleText } from '../render/visible-text.ts'
import { connect } from '../session/api.ts'
import { configureClient } from '../session/configuration.ts'
import { meantService } from '../session/roles.ts'
import type { Session } from '../session/session.ts'
import { inputText } from './input-text.ts'

/** Which configuration a command is about. */
interface Target {
  readonly service: string
  readonly env?: string
}

async function pathOf(session: Session, { service, env }: Target, ...rest: readonly string[]): Promise<string> {
  const environment = env ?? (await configureClient(session)).settings.environment
  return ['/config', ...[service, environment, ...rest].map(encodeURIComponent)].join('/')
}

/** `msvc config get`: a table of values and where each comes from; for one key the value alone. */
export async function getConfig(
  session: Session,
  { key, secrets, ...target }: Target & { readonly key?: string; readonly secrets?: boolean },
): Promise<void> {
  const api = await connect(session, 'config-server', { secrets: secrets ?? false })
  if (key !== undefined) {
    const found = await api.ask(DescribedValue, await pathOf(session, target, key))
    const text = typeof found.value === 'string' ? found.value : JSON.stringify(found.value)
    session.print(session.io.out.isTTY ? visibleText(text) : text)
    session.printJson(found)
    return
  }
  const found = await api.ask(Description, `${await pathOf(session, target)}?describe=true`)
  const rows = Object.entries(found.values).map(([name, { value, from }]) => [name, from, JSON.stringify(value)])
  session.print(
    rows.length === 0 ? `no values${await meantService(target.service)}` : columns([['KEY', 'FROM', 'VALUE'], ...rows]),
  )
  session.printJson(found)
}

/** `msvc config keys`: what a service takes while it runs. */
export async function configKeys(session: Session, service: string): Promise<void> {
  const api = await connect(session, 'config-server')
  const found = await api.ask(LiveKeys, `/config/${encodeURIComponent(service)}`)
  const rows = found.keys.map(({ key, takes, help, default: otherwise }) => [
    key,
    takes,
    otherwise === undefined ? '' : JSON.stringify(otherwise),
    help,
  ])
  if (found.takes === 'anything') {
    session.print(`${service} is no service of the platform, so it takes any key${await meantService(service)}`)
  } else if (rows.length === 0) session.print(`${service} takes nothing while it runs`)
  else session.print(columns([['KEY', 'TAKES', 'DEFAULT', ''], ...rows]))
  session.printJson(found)
}

/** Largest value that is read from a file or from stdin, in bytes: the config server's own limit. */
const MAX_BYTES = 1_048_576

/** Where a value stands: on the command line, on stdin (`-`), in a file; a secret that stands nowhere is asked for. */
interface ValueSource {
  readonly value?: string
  readonly file?: string
  readonly secret?: boolean
}

/** The value's text. Of one that is read, the line break at its end is none of it. Throws AppError `USAGE`. */
async function readValue({ io }: Session, key: string, { value, file, secret }: ValueSource): Promise<string> {
  if (value === undefined && file === undefined && secret && io.ask) {
    const typed = await io.ask(`${key} (what you type is not shown): `, 'hidden')
    if (typed === '') throw new AppError('USAGE', `nothing was typed; ${key} is as it was`)
    return typed
  }
  if ((value === undefined) === (file === undefined)) {
    throw new AppError('USAGE', 'which value? give it, or - to read it from stdin, or --file')
  }
  if (value !== undefined && value !== '-') return value
  const text = file === undefined ? await io.readInput(MAX_BYTES) : await readText(resolve(io.folder, file))
  return text.replace(/\r?\n$/, '')
}

async function readText(file: string): Promise<string> {
  try {
    return await inputText(createReadStream(file), file, MAX_BYTES)
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw new AppError('USAGE', `the value can't be read: ${messageOf(cause)}`, { cause })
  }
}

/** `msvc config set` */
export async function setConfig(
  session: Session,
  { key, force, env, service, ...source }: Target & ValueSource & { readonly key: string; readonly force?: boolean },
): Promise<void> {
  const text = await readValue(session, key, source)
  const target = { service, ...(env !== undefined && { env }) }
  const api = await connect(session, 'config-server')
  const body = `{"value":${jsonOf(text)}${source.secret ? ',"secret":true' : ''}}`
  const changed = await api.ask(Changed, await pathOf(session, target, key), {
    method: 'PUT',
    body,
    headers: JSON_TYPE,
    query: { force },
  })
  session.print(`${key} is set; ${changed.service}/${changed.environment} is at version ${changed.version}`)
  session.printJson(changed)
}

/** `msvc config unset` */
export async function unsetConfig(
  session: Session,
  { key, ...target }: Target & { readonly key: string },
): Promise<void> {
  const api = await connect(session, 'config-server')
  const changed = await api.ask(Changed, await pathOf(session, target, key), { method: 'DELETE' })
  session.print(`${key} is no longer set; ${changed.service}/${changed.environment} is at version ${changed.version}`)
  session.printJson(changed)
}

/** `msvc config history` */
export async function configHistory(
  session: Session,
  { secrets = false, ...target }: Target & { readonly secrets?: boolean },
): Promise<void> {
  const api = await connect(session, 'config-server', { secrets })
  const { versions } = await api.ask(History, `${await pathOf(session, target)}/history?values=true`)
  const rows = versions.map((one) => [
    String(one.version),
    one.changed_at,
    one.changed_by,
    one.action,
    one.keys.map((key) => changeOf(key, one.values)).join(', '),
  ])
  session.print(
    rows.length === 0
      ? `no versions${await meantService(target.service)}`
      : columns([['VERSION', 'TIME', 'BY', 'ACTION', 'CHANGED'], ...rows]),
  )
  for (const version of versions) session.printJson(version)
}

/** Characters of a value in the table of a history; `--json` has it whole. */
const MAX_SHOWN = 60

/** A key with the value that it got. @param values undefined: too far back to be told */
function changeOf(key: string, values: z.output<typeof History>['versions'][number]['values']): string {
  if (!values) return key
  const got = Object.hasOwn(values, key) ? values[key] : undefined
  return got ? `${key}=${cut(JSON.stringify(got.value))}` : `${key} removed`
}

function cut(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
}

/** `msvc config rollback` */
export async function rollBackConfig(
  session: Session,
  { version, force, ...target }: Target & { readonly version: string; readonly force?: boolean },
): Promise<void> {
  if (!/^[1-9]\d{0,8}$/.test(version)) {
    throw new AppError('USAGE', `a version is a number from msvc config history, and ${version} is not`)
  }
  const api = await connect(session, 'config-server')
  const path = `${await pathOf(session, target)}/rollback`
  const changed = await api.ask(Changed, path, { method: 'POST', body: { version: Number(version) }, query: { force } })
  session.print(`version ${version} holds again, as version ${changed.version}`)
  session.printJson(changed)
}

const JSON_TYPE = { 'content-type': 'application/json' }

/** JSON to the letter; text that is none as a JSON string. */
function jsonOf(text: string): string {
  try {
    JSON.parse(text)
    return text
  } catch {
    return JSON.stringify(text)
  }
}
