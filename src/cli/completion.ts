import { type Command, InvalidArgumentError } from 'commander'
import type { OpenSession } from './session.ts'

const SHELLS = ['bash', 'zsh', 'fish', 'powershell']

const EXAMPLES = `
Examples:
  $ source <(msvc completion bash)
  $ msvc completion zsh > ~/.msvc-completion.zsh
  $ echo 'source ~/.msvc-completion.zsh' >> ~/.zshrc
  $ msvc completion fish > ~/.config/fish/completions/msvc.fish`

/** `msvc completion <shell>`, and the hidden `msvc complete -- …` that the shell's script calls at each Tab. */
export function addCompletion(program: Command, _open: OpenSession): void {
  program
    .command('completion')
    .summary('print a completion script')
    .description('Prints the script by which a shell completes commands, options and roles of msvc.')
    .argument('<shell>', SHELLS.join(', '), (shell: string) => {
      if (SHELLS.includes(shell)) return shell
      throw new InvalidArgumentError(`Allowed choices are ${SHELLS.join(', ')}.`)
    })
    .addHelpText('after', EXAMPLES)
    .action(async (shell: string) => {
      const { completionsOf } = await import('./completions.ts')
      completionsOf(program).setup('msvc', 'msvc', shell)
    })
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: string[]) => {
      const { completionsOf } = await import('./completions.ts')
      completionsOf(program).parse(words)
    })
}
