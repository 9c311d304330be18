import type { Command } from 'commander'
import { SCHEMA_LINE } from '../init/schema-line.ts'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc schema > msvc.schema.json

Editors with the YAML language server complete and check a file that begins with
  ${SCHEMA_LINE}`

/** `msvc schema`: the JSON Schema of the configuration, for editors. */
export function addSchema(program: Command, open: OpenSession): void {
  program
    .command('schema')
    .summary('print the JSON Schema of msvc.yaml')
    .description(
      "Prints the JSON Schema (draft 2020-12) of the whole file: the platform's part, each role's section and services. msvc check says what a schema can't, such as two services on one port.",
    )
    .addHelpText('after', EXAMPLES)
    .action(async (_flags: object, command: Command) => {
      const session = open(command)
      const [{ loadRoles }, { fileSchema }] = await Promise.all([
        import('../../roles/catalog.ts'),
        import('../../kit/config/file-schema.ts'),
      ])
      const schema = fileSchema(await loadRoles())
      session.print(JSON.stringify(schema, undefined, 2))
      session.printJson(schema)
      // stdout is for who parses it
      session.messages.info(`put this on the first line of msvc.yaml: ${SCHEMA_LINE}`)
    })
}
