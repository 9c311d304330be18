import { closeSync, readSync } from 'node:fs'
import { openRegularFile } from '../../drivers/regular-file.ts'

/** As much of a file is looked at, bytes: services further down are found when it is parsed. */
const MOST_BYTES = 65_536
const SERVICES = /^services:/m
const RUN = /\brun:/

/**
 * Whether a configuration seems to have services to be run here. It is a guess, made in less than a millisecond by the file's text alone: what they need is launched
 * by it while the file is parsed, and dismissed where it was wrong. Never throws.
 * @param path the YAML file, absolute; undefined for none
 */
export function seemsToRunServices(path: string | undefined): boolean {
  if (path === undefined) return false
  try {
    const text = beginningOf(path)
    return SERVICES.test(text) && RUN.test(text)
  } catch {
    return false
  }
}

function beginningOf(path: string): string {
  const file = openRegularFile(path)
  if (file === undefined) return ''
  try {
    const bytes = Buffer.alloc(MOST_BYTES)
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, MOST_BYTES, 0))
  } finally {
    closeSync(file)
  }
}
