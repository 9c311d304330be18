import type { ResponseHead } from '../upstream/response-head.ts'

/**
 * Whether a response has no end of its own, so that silence in it says nothing: server-sent events, parts that replace each other, and lines of JSON
 * whose length nobody knows.
 */
export function isOpenEnded({ rawHeaders, framing }: ResponseHead): boolean {
  if (framing.by === 'length') return false
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.length === CONTENT_TYPE.length && rawHeaders[at]?.toLowerCase() === CONTENT_TYPE) {
      return STREAMED.test(rawHeaders[at + 1] ?? '')
    }
  }
  return false
}

const CONTENT_TYPE = 'content-type'
const STREAMED =
  /^(?:(?:text\/event-stream|multipart\/x-mixed-replace|application\/(?:x-ndjson|ndjson|jsonl|x-jsonlines|json-seq|stream\+json))[ \t]*(?:;|$)|application\/json[ \t]*;[ \t]*stream=)/i
