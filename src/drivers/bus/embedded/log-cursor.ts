import { hash } from 'node:crypto'
import { DriverError } from '../../driver-error.ts'
import type { Cursor } from '../reader.ts'
import type { MessageRow } from './message-rows.ts'

const FORM = /^c([0-9a-z]{1,10})(?:-([0-9a-f]{8}))?$/

/** What a cursor says. */
interface LogPlace {
  readonly position: number
  /** Of the message at that position, where one lies there. */
  readonly mark: string | undefined
}

/** The cursor of a place behind which nobody has seen a message. */
export function cursorAt(position: number): Cursor {
  return `c${position.toString(36)}`
}

/** The cursor behind a message: its position, and a mark of the message itself, since a log that is put back from a copy gives positions out again. */
export function cursorBehind(message: Pick<MessageRow, 'id' | 'timestamp' | 'position'>): Cursor {
  return `${cursorAt(message.position)}-${markOf(message)}`
}

/** Reads a cursor. Throws DriverError `invalid` for what is none. */
export function parseCursor(cursor: Cursor): LogPlace {
  const [, position, mark] = FORM.exec(cursor) ?? []
  if (position === undefined) throw new DriverError('invalid', `${cursor} is no cursor of this broker's`)
  return { position: Number.parseInt(position, 36), mark }
}

/** Tells a message from another that may lie at the same position. */
export function markOf({ id, timestamp }: Pick<MessageRow, 'id' | 'timestamp'>): string {
  return hash('sha256', `${timestamp} ${id}`).slice(0, 8)
}
