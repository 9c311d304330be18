import { randomInt } from 'node:crypto'

/** Without those that look alike. */
const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789'

/** Makes a text that nobody can guess. @returns as many letters and digits as asked for, which stand in a URL and a shell as they are */
export function randomText(length: number): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
}
