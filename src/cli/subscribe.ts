import type { Command } from 'commander'
import type { OpenSession } from './session.ts'

interface SubscribeFlags {
  readonly from: string
  readonly group?: string
  readonly count?: string
}

const EXAMPLES = `
Examples:
  $ msvc subscribe order.created
  $ msvc subscribe 'order.*' --from first --count 10 --json
  $ msvc subscribe '>' --group audit`

/** `msvc subscribe <topic>`: prints messages as they come. */
export function addSubscribe(program: Command, open: OpenSession): void {
  program
    .command('subscribe')
    .summary('print messages as they come')
    .description('Prints the messages of a topic or pattern (* one word, > the rest) as they come, until Ctrl-C.')
    .argument('<topic>', 'a topic or pattern; quote * and > for the shell')
    .option('--from <where>', 'new, first, or an offset', 'new')
    .option('--group <name>', 'share the messages with others of this group; a message printed counts as handled')
    .option('--count <number>', 'stop after so many messages')
    .addHelpText('after', EXAMPLES)
    .action(async (topic: string, { from, group, count }: SubscribeFlags, command: Command) => {
      const session = open(command)
      const [{ connect }, { follow, parseEvent }, { Message }, { AppError }, { visibleText }] = await Promise.all([
        import('./api.ts'),
        import('./follow.ts'),
        import('../roles/broker/contract.ts'),
        import('../kit/errors.ts'),
        import('./render/visible-text.ts'),
      ])
      if (count !== undefined && !/^[1-9]\d{0,8}$/.test(count)) {
        throw new AppError('USAGE', `--count wants a whole number above 0, not ${count}`)
      }
      const limit = count === undefined ? Number.POSITIVE_INFINITY : Number(count)
      const query = new URLSearchParams({ from, ...(group !== undefined && { group }) })
      const enough = new AbortController()
      let seen = 0
      await follow(session, await connect(session, 'broker'), {
        role: 'broker',
        path: `/broker/stream/${encodeURIComponent(topic)}?${query}`,
        enough: enough.signal,
        onData(data) {
          if (seen++ >= limit) return
          const message = Message.parse(parseEvent(data, 'broker'))
          const line = `${message.timestamp}  ${message.topic} ${message.offset}  ${JSON.stringify(message.payload)}`
          session.print(visibleText(line))
          session.printJson(message)
          if (seen >= limit) enough.abort()
        },
      })
    })
}
