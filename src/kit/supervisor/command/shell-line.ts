import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'

/** One command and its arguments, with nothing that a shell does besides: no list, redirection or assignment. */
const PLAIN = /^([\w./-]+)(?:\s+[^\s;&|<>()`\n#]+)*\s*$/

/**
 * What a shell does itself, although some of it may lie on the PATH too: reserved words and built-ins (POSIX.1-2024, XCU 2.4, 2.9.1.4 and 2.15), and those
 * that dash and bash add.
 */
const THE_SHELLS = new Set(
  [
    'case do done elif else esac fi for function if in select then time until while coproc',
    'break continue eval exec exit export readonly return set shift times trap unset',
    'alias bg cd command fc fg getopts hash jobs kill read type ulimit umask unalias wait',
    'echo false newgrp printf pwd test true',
    'bind builtin caller chdir compgen complete compopt declare dirs disown enable help history let local logout mapfile popd pushd readarray shopt',
    'source suspend typeset',
  ].flatMap((names) => names.split(' ')),
)

/** A line for the shell, or words without one. */
export type CommandLine = string | readonly string[]

/** What is started for a command. */
export interface Spawned {
  readonly program: string
  readonly args: readonly string[]
  /** Whether Windows gets the arguments as they are, without quotes of Node's. */
  readonly isVerbatim: boolean
}

/** What starts a command: a line by the shell, unless it is no more than one program; words by themselves. */
export function commandOf(
  command: CommandLine,
  place: ShellPlace,
  platform: NodeJS.Platform = process.platform,
): Spawned {
  if (typeof command === 'string')
    return shellCommand(platform === 'win32' ? command : withoutShell(command, place), platform)
  const [program = '', ...args] = command
  if (platform !== 'win32' || !isScript(program, place)) return { program, args, isVerbatim: false }
  return shellCommand([program, ...args].map(quotedForCmd).join(' '), platform)
}

/** What has the system's shell run a line. On Windows `cmd` takes the outer quotes away and leaves the rest as it is (/s, without what the registry would run before: /d). */
export function shellCommand(line: string, platform: NodeJS.Platform = process.platform): Spawned {
  return platform === 'win32'
    ? { program: 'cmd.exe', args: ['/d', '/s', '/c', `"${line}"`], isVerbatim: true }
    : { program: '/bin/sh', args: ['-c', line], isVerbatim: false }
}

/** What Windows looks for besides programs, and only `cmd` can run: npm is one. */
const SCRIPTS = ['.cmd', '.bat']

function isScript(word: string, { dir, path = '' }: ShellPlace): boolean {
  if (SCRIPTS.some((end) => word.toLowerCase().endsWith(end))) return true
  const folders = /[\\/]/.test(word) ? [''] : path.split(WINDOWS_DELIMITER)
  const isThere = (end: string) => folders.some((folder) => isFile(resolve(dir, folder, word + end)))
  return !isThere('.exe') && !isThere('') && SCRIPTS.some(isThere)
}

const WINDOWS_DELIMITER = ';'

/** A word for `cmd` and then for the program: in quotes, those in it doubled; what `cmd` would take for its own is escaped (Node leaves that to its caller since CVE-2024-27980). */
function quotedForCmd(word: string): string {
  return /^[\w./:\\-]+$/.test(word) ? word : `"${word.replaceAll('"', '""').replaceAll('%', '"^%"')}"`
}

/** Where a line is run. */
export interface ShellPlace {
  readonly dir: string
  /** Its PATH; undefined for the shell's own, which isn't known. */
  readonly path: string | undefined
}

/**
 * A line as the shell should have it: where all that it would do is to start one program, it becomes that program, a process less, which signals would have
 * to pass. @example withoutShell('node app.js', place) // 'exec node app.js'
 */
function withoutShell(line: string, place: ShellPlace): string {
  const [, word] = PLAIN.exec(line) ?? []
  return word !== undefined && isProgram(word, place) ? `exec ${line}` : line
}

function isProgram(word: string, { dir, path }: ShellPlace): boolean {
  if (word.includes('/')) return true
  if (path === undefined || THE_SHELLS.has(word)) return false
  return path.split(delimiter).some((folder) => isExecutable(resolve(dir, folder, word)))
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? false
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
