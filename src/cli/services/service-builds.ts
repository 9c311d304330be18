import type { Build } from '../../kit/supervisor/command/build.ts'
import type { CommandPlan } from '../../kit/supervisor/command/command-unit.ts'
import type { CommandLine } from '../../kit/supervisor/command/shell-line.ts'

/** Makes a build, which begins when `after` has resolved. */
export type MakeBuild = (plan: CommandPlan, command: CommandLine, after: Promise<void> | undefined) => Build

/** What the user's services are built by. */
export interface ServiceBuilds {
  /** One for all replicas of a service, until what it is made of changes; undefined where it has none. */
  of(plan: CommandPlan): Build | undefined
  /** From now on these are to run: builds of services that are gone, or are built otherwise, are ended. */
  plan(replicas: readonly CommandPlan[]): void
  /** Builds a service anew, where it was built; false when that was ended before it was done. Rejects with AppError `START_FAILED`. */
  renew(service: string): Promise<boolean>
  /** Has a service built anew at its next start. */
  outdate(service: string): void
  /** Ends what is built; resolves when it has ended. */
  close(): Promise<void>
}

/** Makes what keeps a build for each service that has one. */
export function createServiceBuilds(make: MakeBuild): ServiceBuilds {
  const builds = new Map<string, { readonly key: string; readonly build: Build }>()
  /** Of services whose builds were ended: the next one waits for it. */
  const ending = new Map<string, Promise<void>>()

  function end(service: string): void {
    const build = builds.get(service)?.build
    builds.delete(service)
    if (build)
      ending.set(
        service,
        Promise.all([ending.get(service), build.close()]).then(() => {}),
      )
  }

  return {
    of(plan) {
      if (plan.build === undefined) return undefined
      const key = keyOf(plan)
      const known = builds.get(plan.service)
      if (known?.key === key) return known.build
      end(plan.service)
      const build = make(plan, plan.build, ending.get(plan.service))
      builds.set(plan.service, { key, build })
      return build
    },
    plan(replicas) {
      const keys = new Map(replicas.map((plan) => [plan.service, keyOf(plan)]))
      for (const [service, { key }] of builds) if (keys.get(service) !== key) end(service)
    },
    renew: async (service) => (await builds.get(service)?.build.renew()) ?? true,
    outdate: (service) => builds.get(service)?.build.outdate(),
    async close() {
      for (const service of builds.keys()) end(service)
      await Promise.all(ending.values())
    },
  }
}

/** What a build is made of. */
function keyOf({ build, dir, env, addresses }: CommandPlan): string {
  const own = Object.entries(env).filter(([name]) => name !== 'PORT' && !addresses?.includes(name))
  return JSON.stringify([build, dir, own])
}
