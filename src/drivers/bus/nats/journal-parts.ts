import type { KeptMessage } from './jetstream.ts'
import { type JournalEntry, readEntry } from './journal-entry.ts'

/** What a message that is part of an entry says of it, as JSON in one header. */
const HEADER = 'Msvc-Part'

/** A message that is part of an entry. */
export interface EntryPart extends Pick<JournalEntry, 'by' | 'whole'> {
  /** Which one, from 0 on, of how many. */
  readonly at: number
  readonly of: number
}

/** A message of a journal. */
type Kept = Pick<KeptMessage, 'headers' | 'data'>

/** The headers of a part; an entry that is one message has none, as before there were parts. */
export function partHeaders(part: EntryPart): Readonly<Record<string, string>> {
  return part.of === 1 ? {} : { [HEADER]: JSON.stringify(part) }
}

/** Who wrote a message, and where the last whole state begins that was complete by then; 0 where that is this message. */
export function readMark({ headers, data }: Kept): Pick<JournalEntry, 'by' | 'whole'> {
  return partIn(headers) ?? readEntry(data)
}

/** Puts entries together from a journal's messages, one after the other. */
export class EntryJoiner {
  #parts: Uint8Array[] = []

  /** Takes the next message. Gives the entry that it completes; one whose writer did not come to its last part there never was. */
  next({ headers, data }: Kept): JournalEntry | undefined {
    const part = partIn(headers)
    if (part === undefined || part.at === 0) this.#parts = []
    if (part === undefined) return readEntry(data)
    if (part.at !== this.#parts.length) return undefined
    this.#parts.push(data)
    return part.at === part.of - 1 ? readEntry(Buffer.concat(this.#parts)) : undefined
  }
}

function partIn(headers: KeptMessage['headers']): EntryPart | undefined {
  const text = headers?.get(HEADER) ?? ''
  return text === '' ? undefined : (JSON.parse(text) as EntryPart)
}
