import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as offered from './package.ts'

/** All that somebody may rely on: a word goes only with a new major version. */
const VALUES = [
  'AppError',
  'currentScope',
  'defineService',
  'identityOf',
  'inboxTables',
  'once',
  'outboxTables',
  'readable',
  'route',
  'viewOf',
  'visibleTo',
  'wantSomebody',
]
const TYPES = [
  'AppEnv',
  'AppErrorOptions',
  'Asker',
  'CallOptions',
  'ConsumeOptions',
  'ErrorCode',
  'Identity',
  'InboxTable',
  'IncomingEvent',
  'Level',
  'Log',
  'LogEntry',
  'LogSink',
  'Messaging',
  'Metrics',
  'Migration',
  'Outbox',
  'OutboxTable',
  'OutgoingEvent',
  'RemoteConfig',
  'RunningService',
  'Scope',
  'Service',
  'ServiceClient',
  'ServiceContext',
  'ServiceDefinition',
  'ServiceParts',
  'ServiceSettings',
  'StartOptions',
  'Store',
  'TransactionOptions',
  'View',
]

const path = join(import.meta.dirname, 'package.ts')

/** Each exported word, by the name it is declared with, and where. */
const words = [...readFileSync(path, 'utf8').matchAll(/^export (type )?\{([^}]+)\} from '([^']+)'/gm)].flatMap(
  ([, allTypes, names = '', from = '']) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean)
      .map((name) => {
        const [, type, declared = '', offeredAs] = /^(type )?(\w+)(?: as (\w+))?$/.exec(name) ?? []
        return { name: offeredAs ?? declared, declared, from, isType: allTypes !== undefined || type !== undefined }
      }),
)

/** The docstring of a declaration. */
function docOf(declared: string, from: string): string {
  const source = readFileSync(join(dirname(path), from), 'utf8')
  const declaration = new RegExp(
    `/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\s*export (?:abstract )?(?:async )?(?:class|const|function|interface|type) ${declared}\\b`,
  )
  return declaration.exec(source)?.[1] ?? ''
}

describe('what the package offers', () => {
  it('is this list', () => {
    expect(Object.keys(offered).sort()).toEqual(VALUES)
    const types = words.filter(({ isType }) => isType).map(({ name }) => name)
    expect(types.sort()).toEqual(TYPES)
  })

  it('is documented, with an example on each word', () => {
    const ours = words.filter(({ from }) => from.startsWith('.'))
    expect(ours.length).toBeGreaterThan(40)
    const bare = ours.filter(({ declared, from }) => !docOf(declared, from).includes('@example'))
    expect(bare.map(({ name }) => name)).toEqual([])
  })
})
