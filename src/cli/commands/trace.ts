import type { Command } from 'commander'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc trace 4bf92f3577b34da6a3ce929d0e0e4736
  $ curl -si http://127.0.0.1:8000/gateway/api/users | grep -i x-trace-id`

/** `msvc trace <id>`: one request and all it caused, as a tree. */
export function addTrace(program: Command, open: OpenSession): void {
  program
    .command('trace')
    .summary('print a trace as a tree')
    .description(
      'Prints the spans of a trace, one request and all it caused, as a tree. Answers carry the id in X-Trace-ID.',
    )
    .argument('<id>', 'the trace id, 32 hexadecimal digits')
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, _flags: object, command: Command) => {
      const session = open(command)
      const [{ connect }, { Trace }, { formatTraceTree }, { AppError }] = await Promise.all([
        import('../session/api.ts'),
        import('../../roles/log-server/contract.ts'),
        import('../render/trace-tree.ts'),
        import('../../kit/errors.ts'),
      ])
      if (!/^[0-9a-f]{32}$/i.test(id)) {
        throw new AppError(
          'USAGE',
          `a trace id has 32 hexadecimal digits, and ${JSON.stringify(id.slice(0, 60))} does not`,
        )
      }
      const api = await connect(session, 'log-server')
      const trace = await api.ask(Trace, `/traces/${id.toLowerCase()}`)
      const { colour, columns } = session.io.out
      session.print(formatTraceTree(trace, { colour, columns }))
      session.printJson(trace)
    })
}
