import type { Command } from 'commander'
import type { OpenSession } from '../session/session.ts'
import type { LettersFlags } from './dead-letter-work.ts'

const EXAMPLES = `
Examples:
  $ msvc dead-letters list
  $ msvc dead-letters list --json | jq -r 'select(.topic == "shop.sold") | .id'
  $ msvc dead-letters redrive 01a21b1d-5c35-73f0-a5f7-29e01c00d51f
  $ msvc dead-letters redrive --all
  $ msvc dead-letters discard --subscription $SUBSCRIPTION`

const IDS = 'ids of messages, as the list has them'

/** `msvc dead-letters list|redrive|discard`: messages that were delivered in vain too often. */
export function addDeadLetters(program: Command, open: OpenSession): void {
  const letters = program
    .command('dead-letters')
    .summary('see, redrive, discard what failed too often')
    .description(
      'Shows the messages that were delivered in vain too often, sends them once more, or throws them away. The broker is degraded while there are any.',
    )
    .addHelpText('after', EXAMPLES)
  letters
    .command('list')
    .description('Lists dead letters, the oldest first: what died in which subscription, and why.')
    .option('--subscription <id>', 'of this subscription only')
    .option('-n, --limit <number>', 'at most so many', '100')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: Pick<LettersFlags, 'subscription'> & { readonly limit: string }, command: Command) => {
      const { listDeadLetters } = await import('./dead-letter-work.ts')
      await listDeadLetters(open(command), flags)
    })
  letters
    .command('redrive')
    .description('Puts dead letters back into their subscriptions, where they are delivered as if for the first time.')
    .argument('[ids...]', IDS)
    .option('--subscription <id>', 'those of this subscription only')
    .option('--all', 'every one there is')
    .addHelpText('after', EXAMPLES)
    .action(async (ids: readonly string[], flags: LettersFlags, command: Command) => {
      const { settleDeadLetters } = await import('./dead-letter-work.ts')
      await settleDeadLetters(open(command), 'redrive', { ids, ...flags })
    })
  letters
    .command('discard')
    .description('Throws dead letters away for good.')
    .argument('[ids...]', IDS)
    .option('--subscription <id>', 'those of this subscription only')
    .addHelpText('after', EXAMPLES)
    .action(async (ids: readonly string[], flags: LettersFlags, command: Command) => {
      const { settleDeadLetters } = await import('./dead-letter-work.ts')
      await settleDeadLetters(open(command), 'discard', { ids, ...flags })
    })
}
