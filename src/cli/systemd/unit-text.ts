import { AppError } from '../../kit/errors.ts'

/** Text that systemd reads by its rules: specifiers such as `%S` hold in it, and quotes. */
export interface Syntax {
  readonly syntax: string
}

/** A value: plain text stands for itself, whatever is in it. */
export type UnitValue = string | Syntax

/** Lines of a section, by key; a key may come again. */
export type Lines = readonly (readonly [key: string, value: UnitValue])[]

/**
 * The text of a unit (systemd.syntax(7)). Throws AppError `CONFIG_INVALID` for a value that no unit can hold: with a line break it would go on as another setting.
 * @param about what is said above it, a line each
 * @param sections in their order
 */
export function unitText(about: readonly string[], ...sections: readonly Readonly<Record<string, Lines>>[]): string {
  const texts = sections.flatMap((section) =>
    Object.entries(section).map(
      ([name, lines]) => `[${name}]\n${lines.map(([key, value]) => `${key}=${checked(syntaxOf(value))}\n`).join('')}`,
    ),
  )
  return `${about.map((line) => `# ${checked(line)}\n`).join('')}${texts.join('\n')}`
}

/**
 * Text in which specifiers hold, but for what is filled in.
 * @example withSpecifiers`%S/msvc/${name}`
 */
export function withSpecifiers(parts: TemplateStringsArray, ...plain: readonly string[]): Syntax {
  return { syntax: String.raw({ raw: parts.map(String) }, ...plain.map(withoutSpecifiers)) }
}

/** A command (systemd.service(5), COMMAND LINES): a program's absolute path, and its arguments to the letter. */
export function command(words: readonly UnitValue[]): Syntax {
  const texts = words.map(syntaxOf)
  // so that $ stands for itself: $$ would, but not in the path of the program
  const prefix = texts.some((text) => text.includes('$')) ? ':' : ''
  return { syntax: `${prefix}${texts.map(quoted).join(' ')}` }
}

/** A variable of the environment, for `Environment=`. */
export function variable(name: string, value: UnitValue): Syntax {
  return { syntax: quoted(`${name}=${syntaxOf(value)}`) }
}

function syntaxOf(value: UnitValue): string {
  return typeof value === 'string' ? withoutSpecifiers(value) : value.syntax
}

function withoutSpecifiers(text: string): string {
  return text.replaceAll('%', '%%')
}

/** One word (systemd.syntax(7), QUOTING). */
function quoted(text: string): string {
  return /^[\w./:=@,+%-]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}

function checked(text: string): string {
  const shown = JSON.stringify(text.slice(0, 200))
  if (/\p{Cc}/u.test(text)) throw refused(`${shown} has a line break, or another control character`)
  if (/^\s|[\s\\]$/.test(text)) throw refused(`${shown} begins or ends with a blank, or ends with a backslash`)
  return text
}

function refused(why: string): AppError {
  return new AppError('CONFIG_INVALID', `${why}, which a unit of systemd can't hold; choose another name`)
}
