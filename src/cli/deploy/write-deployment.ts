import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { AppError } from '../../kit/errors.ts'
import { parseScale } from '../plan/plan.ts'
import { configurationFile, configure } from '../session/configuration.ts'
import type { Session } from '../session/session.ts'
import { VERSION } from '../session/version.ts'
import { type Planned, planFolder, writeFolder } from './deploy-folder.ts'
import type { DeployFile } from './deployment.ts'
import { difference } from './difference.ts'
import type { Kind } from './kinds.ts'
import { planDeployment } from './plan-deployment.ts'

/** Flags of `msvc deploy <kind>` as commander gives them. */
export interface DeployFlags {
  readonly out?: string
  readonly scale?: readonly string[]
  readonly image?: string
  readonly force?: boolean
  readonly diff?: boolean
}

/** What is said of a file that is left alone, or isn't. */
const WORDS = {
  new: 'written',
  same: 'as it was',
  updated: 'written over',
  yours: 'yours, left as it is',
  disputed: 'yours, left as it is',
} as const

/**
 * `msvc deploy <kind>`: writes what runs the platform of this configuration elsewhere. What a person has changed since the last time is asked for, and stays
 * where nobody answers. Throws AppError `CONFIG_INVALID` for the configuration, `CONFLICT` for a folder that holds something else.
 */
export async function writeDeployment(session: Session, kind: Kind, flags: DeployFlags): Promise<void> {
  const { io, messages } = session
  const out = flags.out ?? `deploy/${kind.name}`
  const folder = resolve(io.folder, out)
  const configured = await configure(session, { runs: false })
  const name = configurationFile(session)
  const path = name === undefined ? undefined : resolve(io.folder, name)
  const file = path === undefined ? undefined : { path, text: await readFile(path, 'utf8') }
  const scale = parseScale(flags.scale ?? [])
  const deployment = planDeployment({ configured, file, folder, here: io.folder, scale, image: flags.image })
  const { files, next } = await (await kind.load())(deployment, secretText)
  const planned = planFolder(folder, kind.name, files, flags.force ?? false)
  if (flags.diff) {
    for (const one of planned) if (one.fate === 'updated' || one.fate === 'disputed') show(session, one)
    return
  }
  const chosen = await choose(session, planned)
  await writeFolder(folder, { kind: kind.name, version: VERSION, all: planned, chosen })
  const told = planned.filter(({ fate }) => fate !== 'same')
  if (told.length === 0) session.print(`${out}: nothing has changed`)
  for (const { file, fate } of told) {
    const word = fate === 'disputed' && chosen.includes(file) ? WORDS.updated : WORDS[fate]
    session.print(`${join(out, file.path)}: ${word}`)
  }
  session.printJson({
    folder,
    kind: kind.name,
    files: planned.map(({ file, fate }) => ({ path: file.path, fate, written: chosen.includes(file) })),
    next,
  })
  if (next.length > 0 && chosen.length > 0)
    messages.success(`next, in ${out}:\n${next.map((line) => `  ${line}`).join('\n')}`)
  const left = planned.filter(({ file, fate }) => fate === 'disputed' && !chosen.includes(file))
  // who was asked has said so
  if (left.length === 0 || io.ask) return
  const names = left.map(({ file }) => file.path).join(', ')
  throw new AppError(
    'CONFLICT',
    `${names}: changed by you, and proposed otherwise now; --diff shows how, and --force writes over what you changed`,
  )
}

/** Which of them are to be written: what a person has changed is shown, and asked for. */
async function choose(session: Session, planned: readonly Planned[]): Promise<readonly DeployFile[]> {
  const { io } = session
  const chosen: DeployFile[] = []
  let isLeft = false
  for (const one of planned) {
    const { file, fate } = one
    if (fate === 'new' || fate === 'updated') chosen.push(file)
    if (fate !== 'disputed' || isLeft) continue
    if (!io.ask) continue
    show(session, one)
    const answer = (await io.ask(`${file.path}: write over what you changed? [y]es, [N]o, [q]uit: `))
      .trim()
      .toLowerCase()
    if (answer.startsWith('y')) chosen.push(file)
    isLeft = answer.startsWith('q')
  }
  if (isLeft) throw new AppError('CONFLICT', 'nothing was written')
  return chosen
}

function show({ io, print }: Session, { file, yours = '' }: Planned): void {
  print(difference(file.path, yours, file.text, io.out.colour))
}

const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789'

/** Letters and digits that stand in a URL and a shell as they are. */
function secretText(length: number): string {
  let text = ''
  while (text.length < length) {
    // what would favour the first letters is left out
    const bytes = [...randomBytes(length)].filter((byte) => byte < 256 - (256 % ALPHABET.length))
    text += bytes.map((byte) => ALPHABET[byte % ALPHABET.length]).join('')
  }
  return text.slice(0, length)
}
