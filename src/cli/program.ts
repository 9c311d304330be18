import { Command, CommanderError } from 'commander'
import { AppError } from '../kit/errors.ts'
import { reasonOf } from '../kit/supervisor/reason.ts'
import { addCheck } from './check.ts'
import { addCompletion } from './completion.ts'
import { addConfig } from './config.ts'
import { addHealth } from './health.ts'
import type { Io } from './io.ts'
import { addLogs } from './logs.ts'
import { createMessages } from './messages.ts'
import { addPublish } from './publish.ts'
import { addRegistry } from './registry.ts'
import { addServe } from './serve.ts'
import { type OpenSession, sessions } from './session.ts'
import { addSubscribe } from './subscribe.ts'
import { addToken } from './token.ts'
import { addTrace } from './trace.ts'
import { addUp } from './up.ts'
import { VERSION } from './version.ts'

/** Exit codes (design §7). */
const DONE = 0
const FAILED = 1
const USAGE = 2

/** Adds one command to the program. `roles`: the list of roles for help, when it is going to be printed. */
type AddCommand = (program: Command, open: OpenSession, roles: string) => void

const COMMANDS: readonly AddCommand[] = [
  addUp,
  addServe,
  addCheck,
  addHealth,
  addRegistry,
  addConfig,
  addPublish,
  addSubscribe,
  addLogs,
  addTrace,
  addToken,
  addCompletion,
]

/**
 * Runs one command line.
 * @param args without the program's name
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage or configuration
 */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const program = createProgram(io, await rolesWanted(args))
  try {
    await program.parseAsync(args, { from: 'user' })
    return DONE
  } catch (thrown) {
    return explain(thrown, io)
  }
}

/** The roles and what they do, when help for `serve` is asked for: loading them takes too long for anything else. */
async function rolesWanted(args: readonly string[]): Promise<string> {
  if (!args.includes('serve') || !['help', '-h', '--help'].some((word) => args.includes(word))) return ''
  const { describeRoles } = await import('./roles.ts')
  return describeRoles()
}

/** The commander program with every command. */
function createProgram(io: Io, roles: string): Command {
  const program = new Command('msvc')
    .description('Runs any role of a microservices platform, or all of them.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .option('--config <file>', 'YAML file with settings (default: built in, see configs/msvc.yaml)')
    .option('--data <folder>', 'folder for databases, messages and keys (default: .msvc)')
    .option('--json', 'one JSON document, or one a line, on stdout and nothing else')
    .option('--quiet', 'only errors on stderr')
    .addHelpText('after', EXAMPLES)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      getOutHelpWidth: () => io.out.columns,
      getErrHelpWidth: () => io.err.columns,
      getOutHasColors: () => io.out.colour,
      getErrHasColors: () => io.err.colour,
    })
  const open = sessions(io)
  for (const add of COMMANDS) add(program, open, roles)
  return program
}

const EXAMPLES = `
Examples:
  $ msvc up                                  every role, on this machine
  $ msvc serve user --port 8001              one role
  $ msvc token --subject alice --scope orders:write,users:write
  $ msvc logs --follow --level warning
  $ msvc trace 4bf92f3577b34da6a3ce929d0e0e4736`

/** Says what went wrong on stderr, and gives the exit code. */
async function explain(thrown: unknown, io: Io): Promise<number> {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? DONE : USAGE
  const messages = createMessages(io.err, false)
  // a message may quote what a server said
  const { visibleText } = await import('./render/visible-text.ts')
  for (const line of reasonOf(thrown).split('\n')) messages.error(visibleText(line))
  return thrown instanceof AppError && (thrown.code === 'USAGE' || thrown.code === 'CONFIG_INVALID') ? USAGE : FAILED
}
