/** A response that breaks HTTP/1.1; the message names the fault. Nothing of it may be trusted, so its connection is closed. */
export class ResponseSyntaxError extends Error {
  override readonly name = 'ResponseSyntaxError'
}
