import { type Command, InvalidArgumentError } from 'commander'
import type { OpenSession } from '../session/session.ts'

const SHELLS = ['bash', 'zsh', 'fish', 'powershell']

const EXAMPLES = `
Examples:
  $ source <(msvc completion bash)
  $ msvc completion zsh > ~/.msvc-completion.zsh
  $ echo 'source ~/.msvc-completion.zsh' >> ~/.zshrc
  $ msvc completion fish > ~/.config/fish/completions/msvc.fish`

/** `msvc completion <shell>`, and the hidden `msvc complete -- …` that the shell's script calls at each Tab. */
export function addCompletion(program: Command, open: OpenSession): void {
  program
    .command('completion')
    .summary('print a completion script')
    .description(
      'Prints the script by which a shell completes commands, options, roles, and the services and units that there are.',
    )
    .argument('<shell>', SHELLS.join(', '), (shell: string) => {
      if (SHELLS.includes(shell)) return shell
      throw new InvalidArgumentError(`Allowed choices are ${SHELLS.join(', ')}.`)
    })
    .addHelpText('after', EXAMPLES)
    .action(async (shell: string, _flags: object, command: Command) => {
      const { out } = open(command).io
      const { completionsOf } = await import('./completion-words.ts')
      // what it declares is readonly: sourced again, bash would complain
      if (shell === 'bash') out.write('if ! declare -F __msvc_complete >/dev/null; then\n')
      completionsOf(program, { units: [], services: [] }).setup('msvc', 'msvc', shell)
      if (shell === 'bash') out.write('fi\n')
    })
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: string[], _flags: object, command: Command) => {
      const [{ completionsOf }, { namesHere }] = await Promise.all([
        import('./completion-words.ts'),
        import('./names-here.ts'),
      ])
      completionsOf(program, await namesHere(open(command).io, words)).parse(words)
    })
}
