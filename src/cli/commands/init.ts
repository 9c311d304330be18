import type { Command } from 'commander'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc init && msvc check && msvc up
  $ msvc init ../shop --json | jq .services`

/** `msvc init [folder]`: a first msvc.yaml, by what is in a folder. */
export function addInit(program: Command, open: OpenSession): void {
  program
    .command('init')
    .summary('write a msvc.yaml for the services in a folder')
    .description(
      'Looks at a folder and those within it (package.json, pyproject.toml, requirements.txt, go.mod, Cargo.toml, pom.xml, build.gradle, Gemfile, composer.json, *.csproj, Procfile, compose files) and writes a msvc.yaml there that runs what it found, with comments on what it could not know. Runs nothing.',
    )
    .argument('[folder]', 'where to look and to write; default: the current folder')
    .option('--force', 'write over a msvc.yaml that is there')
    .addHelpText('after', EXAMPLES)
    .action(async (folder: string | undefined, flags: { readonly force?: boolean }, command: Command) => {
      const { writeFirstFile } = await import('../init/first-file.ts')
      await writeFirstFile(open(command), folder ?? '.', flags)
    })
}
