import { expect, it } from 'vitest'
import { notesOn } from './server-check.ts'

it('says what an acknowledgement means, and what the version can’t do', () => {
  expect(notesOn('2.9.10', 1)).toEqual([
    "NATS 2.9.10: a message is acknowledged when it is stored by one server, which needn't be on disk yet: the server syncs every 2 minutes, and this version has no setting for that",
  ])
  expect(notesOn('2.10.1-beta.2', 3)).toEqual([expect.stringContaining('most of 3 servers have it')])
  expect(notesOn('2.10.1-beta.2', 3)).toEqual([expect.stringContaining('unless sync_interval says otherwise')])
})
