/** What stands for no id: nothing, or zeros. */
export const NO_ID = /^0*$/

/** Whether it is an id of a trace (W3C Trace Context §3.2.2.3), in lower case. */
export function isTraceId(id: string): boolean {
  return /^[0-9a-f]{32}$/.test(id) && !NO_ID.test(id)
}

/** Whether it is an id of a span (W3C Trace Context §3.2.2.4), in lower case. */
export function isSpanId(id: string): boolean {
  return /^[0-9a-f]{16}$/.test(id) && !NO_ID.test(id)
}

/** An id as a message quotes it. */
export function idShown(id: string): string {
  return id === '' ? 'missing' : JSON.stringify(id.slice(0, 40))
}
