import type { Publication } from '../publisher.ts'
import { connectTo } from './connected.ts'
import { isNoStream, toDriverError, tooLarge } from './faults.ts'
import { messageWrite } from './message-format.ts'
import { wantServers } from './server-check.ts'
import { bytesOf } from './stream-writer.ts'
import type { Streams } from './streams.ts'

/**
 * Bytes beside a message that comes from another bus, at most: where it stood there and what it expects before it, or when it is due and on which topic
 * (255 bytes).
 */
const BESIDE = 512

/** Throws DriverError `too-large` for a message that can't be put into a bus which is filled. @param maxPayload the server's `max_payload` */
export function wantFit(streams: Streams, message: Publication, maxPayload: number): void {
  const bytes = bytesOf(messageWrite(streams, message)) + BESIDE
  if (bytes > maxPayload)
    throw tooLarge(`the message ${JSON.stringify(message.id)} of ${message.topic}`, bytes, maxPayload)
}

/** Whether the bus at a URL can be filled with these messages, see `BusDriver.checkSizes`. */
export async function checkNatsSizes(url: string, messages: readonly Publication[]): Promise<void> {
  const { link, manager, streams, address } = await connectTo(url)
  try {
    await manager.streams.info(streams.messages).catch((fault: unknown) => {
      if (!isNoStream(fault)) throw toDriverError(fault)
      // streams that are there do with most of their servers
      wantServers(link, address)
    })
    for (const message of messages) wantFit(streams, message, link.most)
  } finally {
    await link.close()
  }
}
