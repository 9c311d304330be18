/** Methods whose repetition changes nothing more (RFC 9110 §9.2.2), of those that are served and called here. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** Whether a request may be carried out twice, by its method alone. @param method in capitals */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method)
}

/** Methods that a route can list. TRACE and CONNECT are not among them: no route can open them. */
export const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
