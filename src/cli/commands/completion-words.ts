import { RootCommand } from '@bomb.sh/tab'
import type { Argument, Command, Option } from 'commander'
import { LEVELS } from '../../kit/telemetry/log.ts'
import { ROLE_NAMES, UP_ROLE_NAMES } from '../../roles/catalog.ts'
import type { NamesHere } from './names-here.ts'

/** Registered names of the platform's own services; said here too, since to load every role takes longer than a Tab may. A test holds the two together. */
export const PLATFORM_SERVICES: readonly string[] = [
  'api-gateway',
  'broker',
  'config-server',
  'log-server',
  'order-service',
  'outbound',
  'payment-service',
  'registry',
  'user-service',
]

type Words = Readonly<Record<string, readonly string[]>>

/** Words that can stand where a command expects one of these arguments or option values. */
function wordsWith({ units, services }: NamesHere): Words {
  const inUp = unique([...UP_ROLE_NAMES, ...services.filter((name) => !PLATFORM_SERVICES.includes(name))])
  return {
    role: ROLE_NAMES,
    only: unique([...ROLE_NAMES, ...inUp]),
    unit: units,
    service: unique([...PLATFORM_SERVICES, ...services]).toSorted(),
    level: LEVELS.map((level) => level.toLowerCase()),
    scale: inUp.map((name) => `${name}=2`),
    'name=replicas': unique(units.map((unit) => `${unit.replace(/-\d+$/, '')}=2`)),
    shell: ['bash', 'zsh', 'fish', 'powershell'],
  }
}

/**
 * The completion tree of a commander program: what a shell offers at each Tab.
 * @param names what there is in the current folder besides
 */
export function completionsOf(program: Command, names: NamesHere): RootCommand {
  const root = new RootCommand()
  const words = wordsWith(names)
  addOptions(root, program.options, words)
  const add = (command: Command, path: readonly string[]) => {
    const here = [...path, command.name()]
    const node = root.command(here.join(' '), command.summary() || command.description())
    addOptions(node, [...command.options, ...program.options], words)
    for (const argument of command.registeredArguments) addArgument(node, argument, words)
    for (const inner of command.commands) add(inner, here)
  }
  for (const command of program.createHelp().visibleCommands(program)) add(command, [])
  return root
}

type Node = ReturnType<RootCommand['command']>

function addOptions(node: Node, options: readonly Option[], words: Words) {
  for (const { long, short, description, hidden, required, optional } of options) {
    if (!long || hidden) continue
    const name = long.slice(2)
    const alias = short?.slice(1)
    if (required || optional) node.option(name, description, offer(words[name]), alias)
    else node.option(name, description, alias)
  }
}

function addArgument(node: Node, argument: Argument, words: Words) {
  node.argument(argument.name(), offer(words[argument.name()]), argument.variadic)
}

function offer(words: readonly string[] = []) {
  return (complete: (value: string, description: string) => void) => {
    for (const word of words) complete(word, '')
  }
}

function unique(words: readonly string[]): readonly string[] {
  return [...new Set(words)]
}
