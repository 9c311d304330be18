import { Command } from 'commander'
import { AppError } from '../kit/errors.ts'
import { didYouMean } from '../kit/nearest.ts'
import { hideInText } from '../kit/secrets/secret-text.ts'
import { addBackup } from './commands/backup.ts'
import { addCheck } from './commands/check.ts'
import { addCompletion } from './commands/completion.ts'
import { addConfig } from './commands/config.ts'
import { addDeadLetters } from './commands/dead-letters.ts'
import { addDelayed } from './commands/delayed.ts'
import { addDeploy } from './commands/deploy.ts'
import { addDoctor } from './commands/doctor.ts'
import { addHealth } from './commands/health.ts'
import { addInit } from './commands/init.ts'
import { addKeys } from './commands/keys.ts'
import { addLicences } from './commands/licences.ts'
import { addLogs } from './commands/logs.ts'
import { addMigrate } from './commands/migrate.ts'
import { addPs } from './commands/ps.ts'
import { addPublish } from './commands/publish.ts'
import { addRegistry } from './commands/registry.ts'
import { addRestore } from './commands/restore.ts'
import { addRun } from './commands/run-service.ts'
import { addSchema } from './commands/schema.ts'
import { addServe } from './commands/serve.ts'
import { addService } from './commands/service.ts'
import { addApply, addDown, addRestart, addScale, addStart, addStop, addUpgrade } from './commands/steering-commands.ts'
import { addSubscribe } from './commands/subscribe.ts'
import { addToken } from './commands/token.ts'
import { addTrace } from './commands/trace.ts'
import { addUp } from './commands/up.ts'
import { type OpenSession, sessions } from './session/session.ts'
import { VERSION } from './session/version.ts'
import type { Io } from './terminal/io.ts'

/** Adds one command to the program. `roles`: the list of roles for help, when it is going to be printed. */
type AddCommand = (program: Command, open: OpenSession, roles: string) => void

const COMMANDS: readonly AddCommand[] = [
  addUp,
  addServe,
  addInit,
  addCheck,
  addSchema,
  addPs,
  addRun,
  addStart,
  addStop,
  addRestart,
  addScale,
  addApply,
  addUpgrade,
  addDown,
  addHealth,
  addDoctor,
  addRegistry,
  addConfig,
  addPublish,
  addSubscribe,
  addDelayed,
  addDeadLetters,
  addLogs,
  addTrace,
  addToken,
  addKeys,
  addBackup,
  addRestore,
  addMigrate,
  addDeploy,
  addService,
  addLicences,
  addCompletion,
]

/**
 * Runs one command line.
 * @param args without the program's name
 * @returns the exit code
 * @throws CommanderError for wrong usage, and for help and version, with exit code 0; AppError for the rest
 */
export async function runProgram(args: readonly string[], io: Io): Promise<number> {
  let code = 0
  const open = sessions(io, (given) => {
    code = given
  })
  const program = createProgram(io, open, await rolesWanted(args))
  await program.parseAsync(args, { from: 'user' })
  return code
}

/** The roles and what they do, when help for `serve` is asked for: loading them takes too long for anything else. */
async function rolesWanted(args: readonly string[]): Promise<string> {
  if (!args.includes('serve') || !['help', '-h', '--help'].some((word) => args.includes(word))) return ''
  const { describeRoles } = await import('./session/roles.ts')
  return describeRoles()
}

/** `msvc help [command...]`. */
function addHelp(program: Command): void {
  program
    .command('help')
    .summary('print help for a command')
    .description('Prints help for a command.')
    .argument('[command...]', 'such as up, or config set')
    .action((words: readonly string[]) => {
      let command = program
      for (const word of words) {
        const inner = command.commands.find((one) => one.name() === word)
        if (!inner) {
          const known = command.commands.map((one) => one.name())
          if (known.length === 0) break
          throw new AppError(
            'USAGE',
            `there is no command ${word}${didYouMean(word, known)}; see ${command.name()} --help`,
          )
        }
        command = inner
      }
      command.help()
    })
}

/** Narrowest column in which help still wraps, characters: beside the longest command of ours, 80 columns leave 36. */
const MIN_HELP_COLUMN = 20

/** The commander program with every command. */
function createProgram(io: Io, open: OpenSession, roles: string): Command {
  const program = new Command('msvc')
    .description('Runs any role of a microservices platform, or all of them.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .option(
      '--config <file>',
      'YAML file with settings (default: msvc.yaml here if there is one; what it leaves out is built in, see configs/msvc.yaml)',
    )
    .option('--data <folder>', 'folder for databases, messages and keys (default: .msvc)')
    .option('--json', 'one JSON document, or one a line, on stdout and nothing else')
    .option('--quiet', 'only errors on stderr')
    .addHelpText('after', EXAMPLES)
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: MIN_HELP_COLUMN })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      outputError: (text, write) => write(hideInText(text)),
      getOutHelpWidth: () => io.out.columns,
      getErrHelpWidth: () => io.err.columns,
      getOutHasColors: () => io.out.colour,
      getErrHasColors: () => io.err.colour,
    })
  for (const add of COMMANDS) add(program, open, roles)
  addHelp(program)
  return program
}

const EXAMPLES = `
Examples:
  $ msvc up                                  every role, on this machine
  $ msvc serve user --port 8001              one role
  $ msvc token --subject alice --scope orders:write,users:write
  $ msvc logs --follow --level warning
  $ msvc trace 4bf92f3577b34da6a3ce929d0e0e4736`
