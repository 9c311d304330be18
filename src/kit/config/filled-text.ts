/** A variable that a text wants and nobody has set. */
export class MissingVariable extends Error {
  readonly variable: string

  constructor(variable: string) {
    super(`\${${variable}} is not set; set it, or write \${${variable}:-default}`)
    this.variable = variable
  }
}

// $$, ${NAME}, ${NAME:-default}; a default ends at the first brace
const PARTS = /\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g

/** A variable that a text is filled in with. */
export interface Wanted {
  readonly name: string
  /** Whether the text has something to say without it. */
  readonly hasDefault: boolean
}

/** The variables of a text. @example wantedBy('http://${HOST:-localhost}:1') // [{ name: 'HOST', hasDefault: true }] */
export function wantedBy(text: string): readonly Wanted[] {
  return [...text.matchAll(PARTS)].flatMap(([, name, otherwise]) =>
    name === undefined ? [] : [{ name, hasDefault: otherwise !== undefined }],
  )
}

/**
 * A text with its variables filled in: `${NAME}`, `${NAME:-default}` where an empty one counts as not set, and `$$` for a dollar. A `$` before anything else
 * stays. What is filled in is not looked at again. Throws MissingVariable for one that is neither set nor has a default.
 * @example fillText('http://${HOST:-localhost}:1', {}) // 'http://localhost:1'
 */
export function fillText(text: string, variables: Readonly<Record<string, string | undefined>>): string {
  return text.replaceAll(PARTS, (_, name: string | undefined, otherwise: string | undefined) => {
    if (name === undefined) return '$'
    const value = variables[name]
    if (value !== undefined && (value !== '' || otherwise === undefined)) return value
    if (otherwise === undefined) throw new MissingVariable(name)
    return otherwise
  })
}
