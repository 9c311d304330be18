import type { Wanted } from '../../kit/config/filled-text.ts'
import type { OwnService } from '../../kit/config/own-service.ts'
import type { Recipe } from './docker/recipe.ts'

/** Seconds that a part has beyond its own time for the requests under way, until it is killed. */
export const BEYOND_DRAIN = 10

/** What is to run elsewhere than under `msvc up`, as each kind of deployment writes it down in its own words. */
export interface Deployment {
  /** Of the project, the namespace, the folder: small letters, digits and dashes. */
  readonly name: string
  /** Of the program. */
  readonly version: string
  /** The platform's image with its tag, as it is pulled; those of services are beside it. */
  readonly image: string
  /** Which values of the config server hold. */
  readonly environment: string
  /** The user's file, word for word; undefined where the built-in defaults hold. */
  readonly file: string | undefined
  /** Whether nobody but its owner can read that file: no copy of it may be open to others, then. */
  readonly isFilePrivate: boolean
  /** What that file is called. */
  readonly fileName: string
  /** The way from the deployment's folder to that of the file, where the sources of services lie, with `/` between: `../..`. */
  readonly sources: string
  /** The way back from there: `deploy/compose`. */
  readonly folder: string
  /** Where the platform keeps data and keys, from the folder of the file, with `/` between: no part of any image. */
  readonly privatePaths: readonly string[]
  /** Names that a Host header may have at the gateway besides those of the parts. */
  readonly hosts: readonly string[]
  /** In the order that they start in. */
  readonly roles: readonly RolePart[]
  /** The user's own. */
  readonly services: readonly ServicePart[]
  readonly stores: readonly StorePart[]
  /** Replicas that were asked for, by name; those of all others are defaults. */
  readonly scale: ReadonlyMap<string, number>
  /** Seconds that a role takes to finish its requests. */
  readonly drainSeconds: number
}

/** What every part has that runs. */
interface Part {
  /** What others reach it by, too: the CLI word of a role, the name of a service. */
  readonly name: string
  readonly replicas: number
  /** Megabytes of memory that it may take; half of it is what it wants. */
  readonly memoryMb: number
  /** Names of roles and services that must be ready first. */
  readonly needs: readonly string[]
}

/** A role of the platform: `msvc serve <name>`. */
export interface RolePart extends Part {
  /** What it is registered as. */
  readonly service: string
  readonly summary: string
  readonly port: number
  /** Kinds of the stores that it works on. */
  readonly stores: readonly StoreKind[]
  /** Whether people outside call it. */
  readonly isEntrance: boolean
}

/** A service of the user's: `msvc up --only <name>` beside its program, which registers it, opens its doors and takes its output. */
export interface ServicePart extends Part {
  readonly own: OwnService
  /** Its folder, from that of the file, with `/` between: `catalog`, or `.`. */
  readonly dir: string
  /** How its image is made, as far as its command and its folder tell. */
  readonly recipe: Recipe
  /** Variables of the place where it runs that its `env` is filled in with: `${SHOP_DB}`. */
  readonly variables: readonly Wanted[]
}

/** A server that keeps what roles agree in. */
export type StoreKind = 'postgres' | 'redis' | 'nats'

/** One of them. */
export interface StorePart {
  readonly kind: StoreKind
  /** The variable that says where it is: DATABASE_URL, REDIS_URL, NATS_URL; with `_FILE` a file that holds it. */
  readonly variable: string
  /** Its address where it runs elsewhere already; undefined where it is deployed too. */
  readonly elsewhere: string | undefined
  /** Its address where it runs on this machine already, which in a container means another one. */
  readonly here: string | undefined
}

/** A file to be written. */
export interface DeployFile {
  /** From the folder of the deployment, with `/` between. */
  readonly path: string
  readonly text: string
  /** Default 0o644. */
  readonly mode?: number
  /** Holds what nobody else may know: it is never shown, its digest is kept apart, and where `mode` lets others read it, its folder doesn't. Default false. */
  readonly isSecret?: boolean
  /** The part of `text` that is made at random, once: what stands in its place on disk stays. Files with the same one hold the same password. */
  readonly random?: string
}
