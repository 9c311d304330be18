import type { Command } from 'commander'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc licences | less
  $ msvc licences > THIRD-PARTY-NOTICES.txt   # to travel with a copy`

/** `msvc licences`: of all that is inside, which ask to travel with every copy. */
export function addLicences(program: Command, open: OpenSession): void {
  program
    .command('licences')
    .summary('print the licences of what is inside')
    .description('Prints the licences of Node and of each package that the program is made of.')
    .addHelpText('after', EXAMPLES)
    .action(async (_flags: object, command: Command) => {
      const session = open(command)
      const text = await session.io.licences()
      session.print(text.trimEnd())
      session.printJson({ licences: text })
    })
}
