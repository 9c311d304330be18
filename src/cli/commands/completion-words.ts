import { RootCommand } from '@bomb.sh/tab'
import type { Argument, Command, Option } from 'commander'
import { LEVELS } from '../../kit/telemetry/log.ts'
import { ROLE_NAMES, UP_ROLE_NAMES } from '../../roles/catalog.ts'

/** Words that can stand where a command expects one of these arguments or option values. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  role: ROLE_NAMES,
  only: ROLE_NAMES,
  service: [
    'api-gateway',
    'broker',
    'config-server',
    'log-server',
    'order-service',
    'payment-service',
    'registry',
    'user-service',
  ],
  level: LEVELS.map((level) => level.toLowerCase()),
  scale: UP_ROLE_NAMES.map((name) => `${name}=2`),
  shell: ['bash', 'zsh', 'fish', 'powershell'],
}

/** The completion tree of a commander program: what a shell offers at each Tab. */
export function completionsOf(program: Command): RootCommand {
  const root = new RootCommand()
  addOptions(root, program.options)
  const add = (command: Command, path: readonly string[]) => {
    const words = [...path, command.name()]
    const node = root.command(words.join(' '), command.summary() || command.description())
    addOptions(node, [...command.options, ...program.options])
    for (const argument of command.registeredArguments) addArgument(node, argument)
    for (const inner of command.commands) add(inner, words)
  }
  for (const command of program.createHelp().visibleCommands(program)) add(command, [])
  return root
}

type Node = ReturnType<RootCommand['command']>

function addOptions(node: Node, options: readonly Option[]) {
  for (const { long, short, description, hidden, required, optional } of options) {
    if (!long || hidden) continue
    const name = long.slice(2)
    const alias = short?.slice(1)
    if (required || optional) node.option(name, description, offer(name), alias)
    else node.option(name, description, alias)
  }
}

function addArgument(node: Node, argument: Argument) {
  node.argument(argument.name(), offer(argument.name()), argument.variadic)
}

function offer(name: string) {
  return (complete: (value: string, description: string) => void) => {
    for (const word of WORDS[name] ?? []) complete(word, '')
  }
}
