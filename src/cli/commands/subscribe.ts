import type { Command } from 'commander'
import type * as z from 'zod'
import type { Message as MessageSchema } from '../../roles/broker/contract.ts'
import type { OpenSession } from '../session/session.ts'

interface SubscribeFlags {
  readonly from: string
  readonly group?: string
  readonly count?: string
}

const EXAMPLES = `
Examples:
  $ msvc subscribe shop.opened
  $ msvc subscribe 'order.*' --from first --count 10 --json
  $ msvc subscribe '>' --group audit`

/** `msvc subscribe <topic>`: prints messages as they come. */
export function addSubscribe(program: Command, open: OpenSession): void {
  program
    .command('subscribe')
    .summary('print messages as they come')
    .description('Prints the messages of a topic or pattern (* one word, > the rest) as they come, until Ctrl-C.')
    .argument('<topic>', 'a topic or pattern; quote * and > for the shell')
    .option('--from <where>', 'new, first, a cursor that was printed with --json, or an offset of the topic', 'new')
    .option(
      '--group <name>',
      'share the messages with others of this group; each is acknowledged once it is written to stdout',
    )
    .option('--count <number>', 'stop after so many messages')
    .addHelpText('after', EXAMPLES)
    .action(async (topic: string, { from, group, count }: SubscribeFlags, command: Command) => {
      const session = open(command)
      const [{ connect }, { follow, parseEvent }, { Message }, { AppError }, { visibleText }] = await Promise.all([
        import('../session/api.ts'),
        import('./follow.ts'),
        import('../../roles/broker/contract.ts'),
        import('../../kit/errors.ts'),
        import('../render/visible-text.ts'),
      ])
      if (count !== undefined && !/^[1-9]\d{0,8}$/.test(count)) {
        throw new AppError('USAGE', `--count wants a whole number above 0, not ${count}`)
      }
      const limit = count === undefined ? Number.POSITIVE_INFINITY : Number(count)
      const enough = new AbortController()
      const api = await connect(session, 'broker')
      const print = (message: z.infer<typeof MessageSchema>) => {
        const line = `${message.timestamp}  ${message.topic} ${message.offset}  ${dataText(message)}`
        session.print(visibleText(line))
        session.printJson(message)
      }
      if (group !== undefined) {
        const { createGroupReading } = await import('./group-reading.ts')
        const onEnough = () => enough.abort()
        const reading = createGroupReading(session, api, { topic, group, from, limit, print, onEnough })
        return follow(session, api, { role: 'broker', method: 'POST', enough: enough.signal, ...reading })
      }
      let seen = 0
      await follow(session, api, {
        role: 'broker',
        path: `/broker/stream/${encodeURIComponent(topic)}?${new URLSearchParams({ from })}`,
        enough: enough.signal,
        onData(data) {
          if (seen++ >= limit) return
          print(Message.parse(parseEvent(data, 'broker')))
          if (seen >= limit) enough.abort()
        },
      })
    })
}

/** What a message says, in a line. */
function dataText({ payload, payload_base64: bytes }: z.infer<typeof MessageSchema>): string {
  return bytes === undefined ? (JSON.stringify(payload) ?? '') : `base64 ${bytes}`
}
