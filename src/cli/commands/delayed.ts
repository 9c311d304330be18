import type { Command } from 'commander'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc publish shop.remind '{"item":7}' --delay 2h
  $ msvc delayed list --topic shop.remind
  $ msvc delayed cancel 01a21e7c-16fa-792d-add0-6ca99574edb6`

interface TopicFlag {
  readonly topic?: string
}

/** `msvc delayed list|cancel`: messages that wait for their time. */
export function addDelayed(program: Command, open: OpenSession): void {
  const delayed = program
    .command('delayed')
    .summary('see and cancel messages with a delay')
    .description('Shows the messages that were published with a delay and wait for their time, or throws one away.')
    .addHelpText('after', EXAMPLES)
  delayed
    .command('list')
    .description('Lists the messages that wait: when each takes its place, on which topic, and its id.')
    .option('--topic <name>', 'of this topic only')
    .option('-n, --limit <number>', 'at most so many, the next one first', '100')
    .addHelpText('after', EXAMPLES)
    .action(async ({ topic, limit }: TopicFlag & { readonly limit: string }, command: Command) => {
      const session = open(command)
      const [{ connect }, { printList }, { parseLimit }, { DelayedPage }, { visibleText }] = await Promise.all([
        import('../session/api.ts'),
        import('./broker-list.ts'),
        import('./limit.ts'),
        import('../../roles/broker/contract.ts'),
        import('../render/visible-text.ts'),
      ])
      const most = parseLimit(limit)
      const api = await connect(session, 'broker')
      const of = topic === undefined ? {} : { topic }
      await printList(session, {
        limit: most,
        none: 'no message waits for its time',
        async ask(page) {
          const { delayed: items, next } = await api.ask(DelayedPage, '/broker/delayed', { query: { ...of, ...page } })
          return { items, next }
        },
        text: (message) => visibleText(`${message.deliver_at}  ${message.topic}  ${message.id}`),
      })
    })
  delayed
    .command('cancel')
    .description('Throws a message away that waits for its time. Its id is free then.')
    .argument('<id>', 'its id, as the list has it')
    .option('--topic <name>', 'the one of this topic only, where several wait with this id')
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, { topic }: TopicFlag, command: Command) => {
      const session = open(command)
      const [{ connect }, z] = await Promise.all([import('../session/api.ts'), import('zod')])
      const api = await connect(session, 'broker')
      const answer = await api.ask(z.object({ cancelled: z.int() }), `/broker/delayed/${encodeURIComponent(id)}`, {
        method: 'DELETE',
        query: topic === undefined ? {} : { topic },
      })
      session.print(`cancelled ${answer.cancelled}`)
      session.printJson(answer)
    })
}
