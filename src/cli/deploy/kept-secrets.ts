import { AppError } from '../../kit/errors.ts'
import type { DeployFile } from './deployment.ts'

/** A file of which a part is random, beside what is there. */
interface Made {
  readonly file: DeployFile
  readonly random: string
  /** What is on disk; undefined for a missing file, and for one that is empty, which is of no use to anybody. */
  readonly kept: string | undefined
}

/** What is on disk. */
export interface OnDisk {
  textOf(path: string): string | undefined
  /** Whether a text is what was written there last, as nobody has changed it since. */
  isUntouched(path: string, text: string): boolean
}

/** A password that stands in a URL and in any server's configuration alike. */
const PLAIN = /^[A-Za-z0-9]+$/

/**
 * Has files keep what is random in them: a key or a password that is on disk already stays, and where one of those that hold the same password is missing or
 * empty, it is made by another. Throws AppError `CONFLICT` where that is not possible, or they don't hold the same.
 */
export function withKeptSecrets(files: readonly DeployFile[], disk: OnDisk): readonly DeployFile[] {
  const made = files.flatMap((file): readonly Made[] => {
    const { path, random } = file
    if (random === undefined) return []
    const text = disk.textOf(path)
    return [{ file, random, kept: text === undefined || text.trim() === '' ? undefined : text }]
  })
  const groups = Map.groupBy(made, ({ random }) => random)
  const kept = new Map([...groups.values()].flatMap((group) => keptGroup(group, disk)))
  return files.map((file) => ({ ...file, text: kept.get(file.path) ?? file.text }))
}

function keptGroup(group: readonly Made[], disk: OnDisk): readonly (readonly [path: string, text: string])[] {
  const [first, second] = group
  // all of it is random: whatever is there, is it
  if (first && !second && first.file.text === first.random)
    return first.kept === undefined ? [] : [[first.file.path, first.kept]]
  const found = group.flatMap((one) => passwordIn(one) ?? [])
  const passwords = new Set(found)
  const paths = (some: readonly Made[]) => some.map(({ file }) => file.path).join(' and ')
  if (passwords.size > 1)
    throw new AppError(
      'CONFLICT',
      `${paths(group)} hold different passwords, so that the server would refuse whoever asks; remove the one that is wrong, and it is made by the other`,
    )
  const [password] = passwords
  if (password !== undefined) return group.map((one) => [one.file.path, textWith(one, password)])
  const there = group.filter(({ kept }) => kept !== undefined)
  const isOurs = there.every(({ file, kept = '' }) => disk.isUntouched(file.path, kept))
  if (isOurs) return []
  const missing = group.filter(({ kept }) => kept === undefined)
  if (missing.length > 0)
    throw new AppError(
      'CONFLICT',
      `${paths(missing)} is missing or empty, and can't be made by ${paths(there)}, which you changed; put it back from your copy, or move ${paths(there)} away to have all made anew`,
    )
  return group.map(({ file, kept = '' }) => [file.path, kept])
}

/** The password that a file has, where it is as it was made. */
function passwordIn({ file, random, kept }: Made): string | undefined {
  const line = file.text.split('\n').find((each) => each.includes(random)) ?? ''
  const [before = '', after = ''] = line.split(random)
  return kept
    ?.split(/\r?\n/)
    .filter((each) => each.length > before.length + after.length && each.startsWith(before) && each.endsWith(after))
    .map((each) => each.slice(before.length, each.length - after.length))
    .findLast((each) => PLAIN.test(each))
}

function textWith({ file, random }: Made, password: string): string {
  return file.text.replaceAll(random, password)
}
