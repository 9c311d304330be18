import { LEVELS, type Level } from './log.ts'

/** What people's loggers call the levels, in capitals: syslog, pino, winston, log4j, logrus, Serilog, zerolog, java.util.logging, .NET's console. */
const NAMES: Readonly<Record<Level, readonly string[]>> = {
  DEBUG: ['DEBUG', 'TRACE', 'VERBOSE', 'SILLY', 'FINE', 'FINER', 'FINEST', 'DBG', 'DBUG', 'TRC', 'TRCE', 'VRB'],
  INFO: ['INFO', 'INFORMATION', 'INFORMATIONAL', 'NOTICE', 'CONFIG', 'LOG', 'HTTP', 'INF', 'SUCCESS'],
  WARNING: ['WARNING', 'WARN', 'WRN'],
  ERROR: ['ERROR', 'ERR', 'SEVERE', 'FAIL'],
  CRITICAL: ['CRITICAL', 'CRIT', 'FATAL', 'ALERT', 'EMERG', 'EMERGENCY', 'PANIC', 'DPANIC', 'FTL', 'PNC'],
}
const LEVEL_OF_NAME = new Map(LEVELS.flatMap((level) => NAMES[level].map((name) => [name, level] as const)))
/** pino's and bunyan's numbers: trace 10, debug 20, info 30, warn 40, error 50, fatal 60; what lies between counts as the lower one. */
const LEVEL_OF_TENS = ['DEBUG', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const

/** The words that every level has, for people who gave another. */
export const SOME_LEVEL = `one of ${LEVELS.join(', ')}, another logger's word for one, or pino's number from 10 to 69`

/** The level that somebody's logger means by a word or number, in any letter case; undefined when it is none. */
export function levelOf(word: string | number): Level | undefined {
  const text = String(word).trim().toUpperCase()
  if (/^[1-6]\d$/.test(text)) return LEVEL_OF_TENS[Number(text[0]) - 1]
  // slog writes INFO+2 for what lies between two
  return LEVEL_OF_NAME.get(text) ?? LEVEL_OF_NAME.get(text.replace(/[+-]\d{1,3}$/, ''))
}
