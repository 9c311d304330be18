import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isOpenToOthers } from '../../kit/data-folder.ts'
import { AppError } from '../../kit/errors.ts'
import { parseScale } from '../plan/plan.ts'
import { configurationFile, configure } from '../session/configuration.ts'
import type { Session } from '../session/session.ts'
import { VERSION } from '../session/version.ts'
import { type Decisions, decide, shown } from './decisions.ts'
import { writeFolder } from './deploy-folder.ts'
import type { DeployFile } from './deployment.ts'
import { type Fate, type FolderPlan, planFolder } from './folder-plan.ts'
import type { Kind, Written } from './kinds.ts'
import { planDeployment } from './plan-deployment.ts'
import { randomText } from './random-text.ts'

/** Flags of `msvc deploy <kind>` as commander gives them. */
export interface DeployFlags {
  readonly out?: string
  readonly scale?: readonly string[]
  readonly image?: string
  readonly force?: boolean
  readonly diff?: boolean
}

/** What is said of a file. */
const WORDS: Readonly<Record<Fate, string>> = {
  new: 'written',
  same: 'as it was',
  updated: 'written over',
  yours: 'yours, left as it is',
  disputed: 'yours, left as it is',
}

/** One run of the command: where to, and what of. */
interface Run {
  /** As the person names it. */
  readonly out: string
  /** Its absolute path. */
  readonly folder: string
  readonly kind: Kind
  readonly plan: FolderPlan
}

/**
 * `msvc deploy <kind>`: writes what runs the platform of this configuration elsewhere. What a person has changed since the last time is asked for, and stays
 * where nobody answers. Throws AppError `CONFIG_INVALID` for the configuration, `CONFLICT` for a folder that holds something else.
 */
export async function writeDeployment(session: Session, kind: Kind, flags: DeployFlags): Promise<void> {
  const { out = `deploy/${kind.name}`, force = false } = flags
  const folder = resolve(session.io.folder, out)
  const { files, next, remarks = [] } = await proposal(session, kind, folder, flags)
  for (const remark of remarks) session.messages.warn(remark)
  const run = { out, folder, kind, plan: planFolder(folder, kind.name, files, force) }
  if (flags.diff) return showPlan(session, run)
  const decisions = await decide(session, run.plan, force)
  await writeFolder(folder, { kind: kind.name, version: VERSION, plan: run.plan, ...decisions })
  report(session, run, decisions, next)
}

/** What is to be in the folder. */
async function proposal(session: Session, kind: Kind, folder: string, flags: DeployFlags): Promise<Written> {
  const here = session.io.folder
  const configured = await configure(session, { runs: false })
  const name = configurationFile(session)
  const path = name === undefined ? undefined : resolve(here, name)
  const file =
    path === undefined ? undefined : { path, text: await readFile(path, 'utf8'), isPrivate: await isPrivate(path) }
  const scale = parseScale(flags.scale ?? [])
  const deployment = planDeployment({ configured, file, folder, here, scale, image: flags.image })
  const written = await (await kind.load())(deployment, randomText)
  refuseTwins(written.files)
  return written
}

async function isPrivate(path: string): Promise<boolean> {
  return !isOpenToOthers((await stat(path)).mode)
}

/** Two of a path, such as a service's and the platform's own: one would be lost. On some systems names that differ in case alone are the same. */
function refuseTwins(files: readonly DeployFile[]): void {
  const paths = files.map(({ path }) => path.toLowerCase())
  const twin = files.find(({ path }, index) => paths.indexOf(path.toLowerCase()) !== index)
  if (twin)
    throw new AppError(
      'CONFIG_INVALID',
      `${twin.path} would be two files of the deployment, a service's and one of the platform's own; give the service another name`,
    )
}

/** `--diff`: what would be done. */
function showPlan(session: Session, { out, folder, kind, plan }: Run): void {
  const changes = plan.files.filter(({ fate }) => fate !== 'same' && fate !== 'yours')
  for (const one of changes) session.print(shown(one, session.io.out.colour))
  for (const { path } of plan.unwanted) session.print(`${path}: not part of this any more`)
  for (const { path } of plan.open) session.print(`${path}: others can read it, is closed`)
  if (changes.length + plan.unwanted.length + plan.open.length === 0) session.print(`${out}: nothing would change`)
  session.printJson({
    folder,
    kind: kind.name,
    files: plan.files.map((one) => ({
      path: one.file.path,
      fate: one.fate,
      ...(changes.includes(one) && { diff: shown(one, false) }),
    })),
    unwanted: plan.unwanted.map(({ path }) => ({ path })),
  })
}

function report(session: Session, { out, folder, kind, plan }: Run, done: Decisions, next: Written['next']): void {
  const { io, messages } = session
  const { chosen, removed } = done
  const told = plan.files.filter(({ fate }) => fate !== 'same')
  if (told.length + removed.length + plan.open.length === 0) session.print(`${out}: nothing has changed`)
  for (const { file, fate } of told) {
    const word = fate === 'disputed' && chosen.includes(file) ? WORDS.updated : WORDS[fate]
    session.print(`${join(out, file.path)}: ${word}`)
  }
  for (const path of removed) session.print(`${join(out, path)}: removed`)
  for (const { path } of plan.open) session.print(`${join(out, path)}: others could read it, closed`)
  session.printJson({
    folder,
    kind: kind.name,
    files: plan.files.map(({ file, fate }) => ({ path: file.path, fate, written: chosen.includes(file) })),
    unwanted: plan.unwanted.map(({ path }) => ({ path, removed: removed.includes(path) })),
    next,
  })
  if (next.length > 0 && chosen.length > 0)
    messages.success(`next, in ${out}:\n${next.map((line) => `  ${line}`).join('\n')}`)
  warnOfUnwanted(session, plan, removed)
  // who was asked has said so
  if (io.ask) return
  const left = plan.files.filter(({ file, fate }) => fate === 'disputed' && !chosen.includes(file))
  if (left.length === 0) return
  const names = left.map(({ file }) => file.path).join(', ')
  throw new AppError(
    'CONFLICT',
    `${names}: changed by you, and proposed otherwise now; --diff shows how, and --force writes over what you changed`,
  )
}

function warnOfUnwanted({ messages }: Session, { unwanted }: FolderPlan, removed: readonly string[]): void {
  const left = unwanted.filter(({ path }) => !removed.includes(path))
  const names = (some: typeof left) => some.map(({ path }) => path).join(', ')
  const [secrets, others] = [left.filter(({ isSecret }) => isSecret), left.filter(({ isSecret }) => !isSecret)]
  if (others.length > 0)
    messages.warn(
      `${names(others)}: not part of this any more, and still there; remove them, or have --force remove what you haven't changed`,
    )
  if (secrets.length > 0)
    messages.warn(
      `${names(secrets)}: nothing reads this any more; keep it as long as you keep what is in the store that it is for`,
    )
}
