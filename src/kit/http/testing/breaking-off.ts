/** An answer of an app in this process that breaks off when its signal fires, as one over a connection does. */
export function breakingOff(answer: Response, signal: AbortSignal | null | undefined): Response {
  if (!answer.body || !signal) return answer
  return new Response(answer.body.pipeThrough(new TransformStream(), { signal }), answer)
}
