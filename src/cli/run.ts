import { AppError } from '../kit/errors.ts'
import { reasonOf } from '../kit/supervisor/reason.ts'
import type { Io } from './terminal/io.ts'

/** Exit codes (design §7). */
const DONE = 0
const FAILED = 1
const USAGE = 2

/**
 * Runs one command line, and says on stderr what went wrong.
 * @param args without the program's name
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage or configuration; that of the command which it was to run
 */
export async function run(args: readonly string[], io: Io): Promise<number> {
  try {
    const unit = supervisedUnit(args)
    // a unit needs none of the commands, and every unit of the platform would load them
    if (unit === undefined) return await (await import('./program.ts')).runProgram(args, io)
    await (await import('./platform/unit.ts')).runUnit(unit, io)
    return DONE
  } catch (thrown) {
    return report(thrown, io)
  }
}

/** The role in `serve <role> --supervised`, which is how `msvc up` starts the process of a unit. */
function supervisedUnit([command, role, flag]: readonly string[]): string | undefined {
  return command === 'serve' && flag === '--supervised' ? role : undefined
}

/** Says what went wrong, and gives the exit code. */
async function report(thrown: unknown, io: Io): Promise<number> {
  const { CommanderError } = await import('commander')
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? DONE : USAGE
  // a message may quote what a server said, or an address with a password in it
  const [{ createMessages }, { visibleText }, { hideInText }] = await Promise.all([
    import('./terminal/messages.ts'),
    import('./render/visible-text.ts'),
    import('../kit/secrets/secret-text.ts'),
  ])
  const messages = createMessages(io.err, false)
  for (const line of reasonOf(thrown).split('\n')) messages.error(visibleText(hideInText(line)))
  return thrown instanceof AppError && (thrown.code === 'USAGE' || thrown.code === 'CONFIG_INVALID') ? USAGE : FAILED
}
