/** Stands before what stands for NUL, and for itself. */
const ESCAPE = '\x10'

/** A text as PostgreSQL keeps it, which takes any character but NUL. */
export function storable(text: string): string {
  if (!text.includes('\0') && !text.includes(ESCAPE)) return text
  return text.replaceAll(ESCAPE, `${ESCAPE}${ESCAPE}`).replaceAll('\0', `${ESCAPE}0`)
}

/** What `storable` was given. */
export function restored(text: string): string {
  if (!text.includes(ESCAPE)) return text
  const parts = text.split(`${ESCAPE}${ESCAPE}`)
  return parts.map((part) => part.replaceAll(`${ESCAPE}0`, '\0')).join(ESCAPE)
}
