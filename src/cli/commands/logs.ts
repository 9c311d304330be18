import { type Command, InvalidArgumentError } from 'commander'
import { levelOf } from '../../kit/telemetry/level-names.ts'
import type { OpenSession } from '../session/session.ts'
import type { LogsFlags } from './log-query.ts'

const EXAMPLES = `
Examples:
  $ msvc logs order-service --since 10m
  $ msvc logs catalog -f -n 20
  $ msvc logs --follow --level warning
  $ msvc logs --trace 4bf92f3577b34da6a3ce929d0e0e4736
  $ msvc logs --grep 'payment failed' --json | jq -r .message`

/** `msvc logs`: entries of every service from the log server. */
export function addLogs(program: Command, open: OpenSession): void {
  program
    .command('logs')
    .summary('read log entries of every service')
    .description(
      'Prints log entries that the log server holds, oldest first; with --follow also those to come, until Ctrl-C.',
    )
    .argument('[service]', 'of this service only, by its registered name')
    .option('-f, --follow', 'go on with new entries as they come')
    .option('--service <name>', 'the same')
    .option('--level <level>', 'of at least this level: debug, info, warning, error, critical', severity)
    .option('--trace <id>', 'of this trace (a request and all it caused)')
    .option('--grep <text>', 'with these words')
    .option('--since <when>', 'from then on: a time such as 2026-01-31T12:00:00Z, or an age such as 10m, 2h, 1d')
    .option('--until <when>', 'up to then')
    .option('-n, --limit <number>', 'the newest so many', '100')
    .addHelpText('after', EXAMPLES)
    .action(async (service: string | undefined, flags: LogsFlags, command: Command) => {
      const { printLogs } = await import('./log-query.ts')
      await printLogs(open(command), { ...flags, ...(service !== undefined && { service }) })
    })
}

function severity(word: string): string {
  const level = levelOf(word)
  if (level !== undefined) return level
  throw new InvalidArgumentError('Levels are debug, info, warning, error, critical.')
}
