import { AppError } from '../kit/errors.ts'
import { Changed, DescribedValue, Description, History } from '../roles/config-server/contract.ts'
import { connect } from './api.ts'
import { configureClient } from './configuration.ts'
import { columns } from './ready-table.ts'
import { visibleText } from './render/visible-text.ts'
import type { Session } from './session.ts'

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
    const found = DescribedValue.parse(await api.call(await pathOf(session, target, key)))
    const text = typeof found.value === 'string' ? found.value : JSON.stringify(found.value)
    session.print(session.io.out.isTTY ? visibleText(text) : text)
    session.printJson(found)
    return
  }
  const found = Description.parse(await api.call(`${await pathOf(session, target)}?describe=true`))
  const rows = Object.entries(found.values).map(([name, { value, from }]) => [name, JSON.stringify(value), from])
  session.print(rows.length === 0 ? 'no values' : columns([['KEY', 'VALUE', 'FROM'], ...rows]))
  session.printJson(found)
}

/** `msvc config set` */
export async function setConfig(
  session: Session,
  {
    key,
    value,
    secret,
    ...target
  }: Target & { readonly key: string; readonly value: string; readonly secret?: boolean },
): Promise<void> {
  const api = await connect(session, 'config-server')
  const body = `{"value":${jsonOf(value)}${secret ? ',"secret":true' : ''}}`
  const changed = Changed.parse(
    await api.call(await pathOf(session, target, key), { method: 'PUT', body, headers: JSON_TYPE }),
  )
  session.print(`${key} is set; ${changed.service}/${changed.environment} is at version ${changed.version}`)
  session.printJson(changed)
}

/** `msvc config history` */
export async function configHistory(session: Session, target: Target): Promise<void> {
  const api = await connect(session, 'config-server')
  const { versions } = History.parse(await api.call(`${await pathOf(session, target)}/history`))
  const rows = versions.map((one) => [
    String(one.version),
    one.changed_at,
    one.changed_by,
    one.action,
    one.keys.join(', '),
  ])
  session.print(rows.length === 0 ? 'no versions' : columns([['VERSION', 'TIME', 'BY', 'ACTION', 'KEYS'], ...rows]))
  for (const version of versions) session.printJson(version)
}

/** `msvc config rollback` */
export async function rollBackConfig(
  session: Session,
  { version, ...target }: Target & { readonly version: string },
): Promise<void> {
  if (!/^[1-9]\d{0,8}$/.test(version)) {
    throw new AppError('USAGE', `a version is a number from msvc config history, and ${version} is not`)
  }
  const api = await connect(session, 'config-server')
  const path = `${await pathOf(session, target)}/rollback`
  const changed = Changed.parse(await api.call(path, { method: 'POST', body: { version: Number(version) } }))
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
