import type { Changes } from '../../kit/supervisor/control-protocol.ts'

/** What has changed of what runs, for people: a line each, or one that says that nothing has. */
export function changeLines(changes: Changes): readonly string[] {
  const { notes, pending_restart: pending } = changes
  const done = (['started', 'reloaded', 'restarted', 'stopped'] as const).flatMap((what) =>
    changes[what].length > 0 ? [`${what} ${changes[what].join(', ')}`] : [],
  )
  const lines = [
    ...done,
    ...notes,
    ...pending.map((setting) => `${setting} has changed too: that takes msvc down and msvc up`),
  ]
  return lines.length > 0 ? lines : ['nothing has changed']
}
