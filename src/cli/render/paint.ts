import { styleText } from 'node:util'
import type { Level } from '../../kit/telemetry/log.ts'

type Style = Parameters<typeof styleText>[0]

/** Puts colours on visible text. */
export interface Paint {
  dim(text: string): string
  bold(text: string): string
  failure(text: string): string
  level(level: Level, text: string): string
  /** The same service always has the same colour. */
  service(name: string, text: string): string
}

const LEVEL_STYLES: Readonly<Record<Level, Style>> = {
  DEBUG: 'dim',
  INFO: 'green',
  WARNING: 'yellow',
  ERROR: 'red',
  CRITICAL: ['bold', 'red', 'inverse'],
}
const SERVICE_STYLES = [
  'cyan',
  'magenta',
  'blue',
  'greenBright',
  'yellowBright',
  'cyanBright',
  'magentaBright',
] as const

/** Makes a paint: of ANSI colours, or, when colour isn't wanted, one that leaves every text as it is. */
export function createPaint(colour: boolean): Paint {
  const style = (styles: Style, text: string) =>
    colour && text !== '' ? styleText(styles, text, { validateStream: false }) : text
  return {
    dim: (text) => style('dim', text),
    bold: (text) => style('bold', text),
    failure: (text) => style('red', text),
    level: (level, text) => style(LEVEL_STYLES[level], text),
    service: (name, text) => style(SERVICE_STYLES[hash(name) % SERVICE_STYLES.length] ?? 'cyan', text),
  }
}

function hash(name: string): number {
  let sum = 0
  for (let i = 0; i < name.length; i++) sum = (sum * 31 + name.charCodeAt(i)) >>> 0
  return sum
}
