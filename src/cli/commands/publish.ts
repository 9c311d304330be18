import type { Command } from 'commander'
import type { OpenSession, Session } from '../session/session.ts'

/** Largest payload read from stdin, in bytes: the broker's own limit. */
const MAX_BYTES = 1_048_576

const EXAMPLES = `
Examples:
  $ msvc publish shop.opened '{"at":"08:00"}'
  $ echo '{"n":1}' | msvc publish counts.changed
  $ msvc publish shop.sold '{"item":7}' --key order-42 --delay 30s`

interface Flags {
  readonly key?: string
  readonly delay?: string
}

/** `msvc publish <topic> [json]`: one message, on disk when the command ends, delivered now or later. */
export function addPublish(program: Command, open: OpenSession): void {
  program
    .command('publish')
    .summary('publish a message')
    .description('Publishes one message to a topic. Done means that the broker has it on disk.')
    .argument('<topic>', 'dot-separated words, such as shop.opened')
    .argument('[json]', 'the payload, any JSON; without it, or with -, it is read from stdin')
    .option('--key <key>', 'messages of one key are delivered in order, one at a time in each group')
    .option('--delay <time>', 'wait for so long before it is delivered: 30s, 5m, 2h, at most 30d')
    .addHelpText('after', EXAMPLES)
    .action(async (topic: string, json: string | undefined, { key, delay }: Flags, command: Command) => {
      const session = open(command)
      const [{ connect }, { Receipt }, { parseDuration }] = await Promise.all([
        import('../session/api.ts'),
        import('../../roles/broker/contract.ts'),
        import('./duration.ts'),
      ])
      const query = {
        ...(key !== undefined && { key }),
        ...(delay !== undefined && { delay: parseDuration('--delay', delay) }),
      }
      const body = await readPayload(session, json)
      const api = await connect(session, 'broker')
      const receipt = await api.ask(Receipt, `/broker/publish/${encodeURIComponent(topic)}`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
        query,
      })
      const place = receipt.offset ?? `at ${receipt.deliver_at}`
      session.print(`published ${receipt.topic} ${place} as ${receipt.id}`)
      session.printJson(receipt)
    })
}

/** The payload's own text, once it is known to be JSON: parsing and writing it again could change a number. */
async function readPayload({ io }: Session, json: string | undefined): Promise<string> {
  const text = json === undefined || json === '-' ? await io.readInput(MAX_BYTES) : json
  const { AppError } = await import('../../kit/errors.ts')
  try {
    JSON.parse(text)
    return text
  } catch (cause) {
    const why = text.trim() === '' ? 'there is none' : `${JSON.stringify(text.slice(0, 40))} is not JSON`
    throw new AppError('USAGE', `publish wants a JSON payload, and ${why}; for text, quote it twice: '"hello"'`, {
      cause,
    })
  }
}
