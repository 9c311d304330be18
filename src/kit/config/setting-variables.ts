import { nearest } from '../nearest.ts'
import { isRecord } from '../record.ts'
import type { FileSchema } from './file-schema.ts'
import { isGivenVariable } from './given-variables.ts'
import type { Path } from './locate.ts'
import type { EnvironmentValues, Override } from './override.ts'

/** What the variable of each setting begins with. */
const PREFIX = 'MSVC_'

/** A setting: what a variable of its name would say. */
interface Setting {
  readonly path: Path
  /** Absent: maps and lists of sections, which the file alone can say. */
  readonly kind?: 'text' | 'number' | 'truth' | 'list'
}

/** The variables by which settings can be said. */
export interface SettingVariables {
  /** Whether a variable says a setting: one value, or a list of them. */
  isOne(name: string): boolean
  /**
   * What an environment says. One that is named nearly like a setting's is told as a fault, and so is one for what the file alone can say; what is quite another
   * thing is left alone, and so is an empty one.
   */
  read(environment: Readonly<Record<string, string | undefined>>): Omit<EnvironmentValues, 'service'>
}

/**
 * A variable for each setting, so that a container needs no file: `MSVC_` and the path in capitals. `MSVC_AUTH_MODE` says `auth.mode`, `MSVC_LOG_SERVER_HOST`
 * the `host` of the section `log-server`; a list has commas between. Maps, and lists of sections, can't be said so.
 * @param schema of the whole file, see `fileSchema`
 */
export function settingVariables(schema: FileSchema): SettingVariables {
  const settings = new Map(leavesOf(schema, []))
  const names = [...settings].flatMap(([name, { kind }]) => (kind ? [name.slice(PREFIX.length)] : []))
  return {
    isOne: (name) => settings.get(name)?.kind !== undefined,
    read(environment) {
      const overrides: Override[] = []
      const faults: string[] = []
      for (const [name, text] of Object.entries(environment)) {
        if (!name.startsWith(PREFIX) || isGivenVariable(name) || !text) continue
        const { path, kind } = settings.get(name) ?? {}
        // what all of them begin with makes none alike
        const meant = nearest(name.slice(PREFIX.length), names)
        if (path && kind) overrides.push({ path, value: parsed(text, kind), from: name })
        else if (path) faults.push(`${name}: ${path.join('.')} has more than a variable can hold; say it in the file`)
        else if (meant !== undefined) faults.push(`${name}: there is no such setting; did you mean ${PREFIX}${meant}?`)
      }
      return { overrides, faults }
    },
  }
}

function leavesOf(schema: unknown, path: Path): readonly (readonly [string, Setting])[] {
  if (!isRecord(schema)) return []
  if (isRecord(schema.properties))
    return Object.entries(schema.properties).flatMap(([key, inner]) => leavesOf(inner, [...path, key]))
  const kind = kindOf(schema)
  return [[settingVariable(path), { path, ...(kind && { kind }) }]]
}

/** The variable that says a setting. @example settingVariable(['log-server', 'host']) // 'MSVC_LOG_SERVER_HOST' */
export function settingVariable(path: Path): string {
  return `${PREFIX}${path.join('_').replaceAll('-', '_').toUpperCase()}`
}

function kindOf({ type, items, anyOf }: Readonly<Record<string, unknown>>): Setting['kind'] {
  if (type === 'array') return isRecord(items) && items.type === 'string' ? 'list' : undefined
  if (type === 'boolean') return 'truth'
  if (type === 'integer' || type === 'number') return 'number'
  const isText = type === 'string' || (Array.isArray(anyOf) && anyOf.some((choice) => kindOf(choice) === 'text'))
  return isText ? 'text' : undefined
}

/** What is no number or truth stays text, for the schema to refuse. */
function parsed(text: string, kind: NonNullable<Setting['kind']>): unknown {
  if (kind === 'list') return text.split(',').map((item) => item.trim())
  if (kind === 'number' && /^-?\d{1,15}(?:\.\d{1,15})?$/.test(text)) return Number(text)
  if (kind === 'truth' && /^(?:true|false)$/.test(text)) return text === 'true'
  return text
}
