import type { ServerResponse } from 'node:http'

/** What nginx writes down for a client that left before his answer: an answer that nobody got is no success. */
const CLIENT_GONE = 499

/** The status a request was answered with, for logs, traces and metrics; 499 where its client left before there was an answer. */
export function statusOf({ headersSent, statusCode }: Pick<ServerResponse, 'headersSent' | 'statusCode'>): number {
  return headersSent ? statusCode : CLIENT_GONE
}
