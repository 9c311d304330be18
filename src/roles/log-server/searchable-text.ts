/** The text an entry is found by: its message and its metadata, whose JSON escapes become spaces, as `searchable` of sqlite-entry-tables.ts has it in SQL. */
export function searchableText(message: string, metadata: string | null): string {
  if (metadata === null) return `${message} `
  return `${message} ${metadata.includes('\\') ? withoutEscapes(metadata) : metadata}`
}

function withoutEscapes(json: string): string {
  return ['\\\\', '\\n', '\\r', '\\t'].reduce((text, escaped) => text.replaceAll(escaped, ' '), json)
}
