import { AppError } from '../../kit/errors.ts'

const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 }

/**
 * Reads a length of time: a number, with `ms`, `s`, `m`, `h` or `d` behind it. Gives seconds. Throws AppError `USAGE`.
 * @param flag what it was given for
 * @example parseDuration('--delay', '1.5h') // 5400
 */
export function parseDuration(flag: string, text: string): number {
  const [, number = '', unit = 's'] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)?$/.exec(text) ?? []
  if (number !== '') return Number(number) * (SECONDS[unit] ?? 1)
  throw new AppError('USAGE', `${flag} wants a length of time such as 30s, 5m, 2h or 7d, not ${text}`)
}
