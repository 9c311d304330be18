import type { Command } from 'commander'
import type { RunFlags } from '../platform/joined-service.ts'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc run --name catalog -- python3 app.py
  $ msvc run --name catalog --port 7001 --ready "http /health" -- npm start
  $ msvc run --name mailer --ready none -- ./worker.sh`

/** `msvc run`: a service that joins a running platform from this terminal. */
export function addRun(program: Command, open: OpenSession): void {
  program
    .command('run')
    .summary('run a service beside the running platform')
    .description(
      'Runs a command as a service of the platform that runs on the data folder: told where everything is (plain addresses, no doors), registered for as long as it runs, its output here and in the log server. Ctrl-C takes it out again. A name by which something of the platform runs is refused: msvc stop that first, and the command takes its place. Several commands of one name are replicas. When it ends by itself, its exit code is that of msvc.',
    )
    .argument('<command...>', 'the command and its arguments, behind --')
    .requiredOption('--name <name>', 'what it is registered as')
    .option('--port <number>', 'where it listens, as PORT says (default: a free one)')
    .option(
      '--ready <how>',
      'http /health, tcp, log "listening on", exec ./ready.sh, or none (a worker without a port)',
    )
    .addHelpText('after', EXAMPLES)
    .action(async (words: string[], flags: RunFlags, command: Command) => {
      const { runJoined } = await import('../platform/joined-service.ts')
      await runJoined(open(command), words, flags)
    })
}
