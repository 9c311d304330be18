import type { Command } from 'commander'
import type { UpFlags } from '../platform/platform.ts'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc up
  $ msvc up --scale user=2,order=3
  $ msvc up --only registry,user --port-offset 1000 --data other
  $ msvc up --in-process --data /tmp/try
  $ msvc up --detach && msvc ps   # msvc down stops it`

/** `msvc up`: the whole platform on this machine. */
export function addUp(program: Command, open: OpenSession): void {
  program
    .command('up')
    .summary('run every role and your services')
    .description(
      'Runs every role, and the services of msvc.yaml, on this machine, one process each, and starts again what ends by itself. Stops on Ctrl-C or SIGTERM, in order, requests under way finished. Where a platform runs on the data folder already, it has that one follow its changed file, as msvc apply does, and ends.',
    )
    .option('--scale <name=replicas...>', 'more replicas of a role or service; they take free ports')
    .option('--only <names>', 'these roles and services only, separated by commas')
    .option('--port-offset <number>', 'added to every port, so that a second platform fits beside the first')
    .option(
      '--in-process',
      'all roles in this one process: a quicker start, less memory, no restarts (up.in_process in the file)',
    )
    .option('--no-in-process', 'a process a role, whatever the file says')
    .option(
      '--detach',
      'in the background, once it is ready: ends with 1 when a service has failed by then; what it says goes to up.log in the data folder',
    )
    .addHelpText('after', EXAMPLES)
    .action(async (flags: UpFlags, command: Command) => {
      const session = open(command)
      if (flags.detach) await (await import('../platform/detached.ts')).startDetached(session, flags)
      else await (await import('../platform/platform.ts')).runPlatform(session, flags)
    })
}
