import type { Command } from 'commander'
import type { OpenSession } from '../session/session.ts'

/** Flags of `msvc ps` as commander gives them. */
interface PsFlags {
  readonly watch?: boolean
}

const EXAMPLES = `
Examples:
  $ msvc ps
  $ msvc ps --watch
  $ msvc ps --json | jq -r '.units[] | select(.restarts > 0) | .unit'`

/** `msvc ps`: what runs on a data folder, and how it is. */
export function addPs(program: Command, open: OpenSession): void {
  program
    .command('ps')
    .summary('see what runs, and how it is')
    .description(
      'Lists what runs on the data folder: state, process, port, how often it was started again and why it last ended, what it takes of the machine. CPU is its share of one processor while it is looked at.',
    )
    .option('-w, --watch', 'again every second, until Ctrl-C')
    .addHelpText('after', EXAMPLES)
    .action(async ({ watch }: PsFlags, command: Command) => {
      const { listUnits } = await import('../platform/listing-units.ts')
      await listUnits(open(command), watch ?? false)
    })
}
