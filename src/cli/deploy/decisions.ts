import { AppError } from '../../kit/errors.ts'
import type { Session } from '../session/session.ts'
import type { DeployFile } from './deployment.ts'
import { difference } from './difference.ts'
import type { FolderPlan, Planned } from './folder-plan.ts'

/** What is done of a plan. */
export interface Decisions {
  /** Files that are written. */
  readonly chosen: readonly DeployFile[]
  /** Files of a person's that he was shown the proposal of, and keeps. */
  readonly declined: readonly DeployFile[]
  /** Paths of files that are taken away. */
  readonly removed: readonly string[]
}

/**
 * What is to be done of a plan: what a person has changed is shown and asked for, and so is what nothing wants any more. Where nobody answers, both stay, but for
 * what `force` says yes to. Throws AppError `CONFLICT` for who quits.
 */
export async function decide(session: Session, plan: FolderPlan, force: boolean): Promise<Decisions> {
  const chosen: DeployFile[] = []
  const declined: DeployFile[] = []
  for (const one of plan.files) {
    const { file, fate } = one
    if (fate === 'new' || fate === 'updated') chosen.push(file)
    if (fate !== 'disputed' || !session.io.ask) continue
    tellPerson(session, shown(one, session.io.err.colour))
    const isYes = await agrees(session, `${file.path}: write over what you changed?`)
    if (isYes) chosen.push(file)
    else declined.push(file)
  }
  const removable = plan.unwanted.filter(({ isRemovable }) => isRemovable).map(({ path }) => path)
  const isRemoved =
    removable.length > 0 &&
    (force || (await agrees(session, `${removable.join(', ')}: not part of this any more, remove?`)))
  return { chosen, declined, removed: isRemoved ? removable : [] }
}

/** Whether the person at the terminal says yes; false where nobody is. */
async function agrees({ io }: Session, question: string): Promise<boolean> {
  const answer = (await io.ask?.(`${question} [y]es, [N]o, [q]uit: `))?.trim().toLowerCase()
  if (answer?.startsWith('q')) throw new AppError('CONFLICT', 'nothing was written')
  return answer?.startsWith('y') ?? false
}

/** What somebody is asked about he must see, wherever stdout goes. */
function tellPerson({ io, options, print }: Session, text: string): void {
  if (options.json || !io.out.isTTY) io.err.write(`${text}\n`)
  else print(text)
}

/** What would become of a file, as a unified diff; of a secret only that it would. @param colour whether it has some */
export function shown({ file, fate, yours }: Planned, colour: boolean): string {
  const { path, text, isSecret } = file
  if (isSecret) return `${path}: ${fate === 'new' ? 'a new secret' : 'another secret'}`
  return difference({ path, yours, proposed: text, colour })
}
