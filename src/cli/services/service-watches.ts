import { join } from 'node:path'
import { messageOf } from '../../kit/errors.ts'
import { watchFiles } from '../../kit/supervisor/command/file-watch.ts'
import { reasonOf } from '../../kit/supervisor/reason.ts'

/** Which files of a service are watched. */
export interface WatchedService {
  readonly service: string
  readonly dir: string
  readonly patterns: readonly string[]
}

/** What happens when files change. */
export interface ServiceWatchesOptions {
  /** Whether somebody has stopped a service: it isn't going to be restarted. */
  readonly isStopped: (service: string) => boolean
  /** Has a service take what has changed; rejects with why it can't. The signal fires when more has changed: then nothing needs to be waited for. */
  readonly renew: (service: string, signal: AbortSignal) => Promise<void>
  readonly say: (words: string) => void
  readonly warn: (words: string) => void
}

/** The watches over users' files. */
export interface ServiceWatches {
  /** From now on watches these. */
  set(services: readonly WatchedService[]): void
  close(): void
}

/** Makes watches: a change renews its service alone; one that comes meanwhile, again when that is done. */
export function createServiceWatches({ isStopped, renew, say, warn }: ServiceWatchesOptions): ServiceWatches {
  const watches = new Map<string, { readonly key: string; readonly close: () => void }>()
  const busy = new Map<string, AbortController>()

  async function changed(service: string, path: string): Promise<void> {
    const under = busy.get(service)
    if (under) {
      under.abort()
      return
    }
    if (!isStopped(service)) say(`${path} has changed: ${service} is restarted`)
    let more: AbortController
    do {
      more = new AbortController()
      busy.set(service, more)
      await renew(service, more.signal).catch((fault: unknown) => warn(`${service}: ${reasonOf(fault)}`))
    } while (more.signal.aborted)
    busy.delete(service)
  }

  function open({ service, dir, patterns }: WatchedService): () => void {
    const onFault = (fault: unknown) => warn(`files of ${service} are no longer watched: ${messageOf(fault)}`)
    const onSkip = (path: string, fault: unknown) =>
      warn(`files of ${service} in ${join(dir, path)} are not watched, the others are: ${messageOf(fault)}`)
    try {
      return watchFiles({ dir, patterns, onSkip, onFault, onChange: (path) => void changed(service, path) })
    } catch (fault) {
      onFault(fault)
      return () => {}
    }
  }

  return {
    set(services) {
      const wanted = new Map(services.map((watched) => [watched.service, watched]))
      for (const [service, { close }] of watches) {
        if (wanted.has(service)) continue
        close()
        watches.delete(service)
      }
      for (const [service, watched] of wanted) {
        const key = JSON.stringify(watched)
        const before = watches.get(service)
        if (before?.key === key) continue
        before?.close()
        watches.set(service, { key, close: open(watched) })
      }
    },
    close() {
      for (const { close } of watches.values()) close()
      watches.clear()
    },
  }
}
