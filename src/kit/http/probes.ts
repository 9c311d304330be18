/** Paths by which a role is looked after; every role has them. */
const PROBES: ReadonlySet<string> = new Set(['/health', '/livez', '/readyz', '/metrics', '/openapi.json'])

/** Whether a path is one of the kit's own, asked by machines every few seconds: it begins no trace and no log entry. */
export function isProbe(path: string): boolean {
  return PROBES.has(path)
}
