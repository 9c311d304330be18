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
export function withoutShell(line: string, place: ShellPlace): string {
  const [, word] = PLAIN.exec(line) ?? []
  return word !== undefined && isProgram(word, place) ? `exec ${line}` : line
}

function isProgram(word: string, { dir, path }: ShellPlace): boolean {
  if (word.includes('/')) return true
  if (path === undefined || THE_SHELLS.has(word)) return false
  return path.split(delimiter).some((folder) => isExecutable(resolve(dir, folder, word)))
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
