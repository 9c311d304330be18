import { basename, dirname, isAbsolute, posix, relative, resolve, sep } from 'node:path'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import { type Wanted, wantedBy } from '../../kit/config/filled-text.ts'
import type { OwnService } from '../../kit/config/own-service.ts'
import { AppError } from '../../kit/errors.ts'
import { didYouMean } from '../../kit/nearest.ts'
import type { AnyRole } from '../../kit/role.ts'
import { openFolder } from '../init/folder.ts'
import { ENTRANCE } from '../plan/entrance.ts'
import { rolesOf } from '../plan/plan.ts'
import type { Configured } from '../session/configuration.ts'
import { VERSION } from '../session/version.ts'
import { APP } from './container.ts'
import type { Deployment, RolePart, ServicePart, StoreKind, StorePart } from './deployment.ts'
import { recipeOf } from './docker/service-recipe.ts'
import { ownImage, readImage } from './image-name.ts'
import { refuseUnprintable } from './printable-names.ts'

/** What a deployment is planned by. */
export interface DeploymentOptions {
  readonly configured: Configured
  /** The configuration's file: its absolute path, its text, and whether its owner alone can read it; undefined where the built-in defaults hold. */
  readonly file: { readonly path: string; readonly text: string; readonly isPrivate: boolean } | undefined
  /** Where it is written: an absolute path. */
  readonly folder: string
  /** Where it is asked for, and where services lie without a file: an absolute path. */
  readonly here: string
  /** Replicas by CLI word or name, over those of the seed (9.7.10) and of `services`. */
  readonly scale: ReadonlyMap<string, number>
  /** The platform's image as it is pulled; its tag is this version where it has none. Default: `msvc` */
  readonly image?: string | undefined
}

/** Replicas of the seed's own composition (9.7.10); of every other role one. */
const REPLICAS: Readonly<Record<string, number>> = { user: 2, order: 2 }
/** Megabytes that a role may take: twice what it was seen to take under load, and no less than this. */
const MEMORY_MB = 256
/** A service of the user's with msvc beside it. */
const SERVICE_MEMORY_MB = 512
const MORE_MEMORY_MB: Readonly<Record<string, number>> = { gateway: 512, 'log-server': 512, broker: 512 }
const VARIABLES = { postgres: 'DATABASE_URL', redis: 'REDIS_URL', nats: 'NATS_URL' } as const
const SETTINGS = { postgres: 'store', redis: 'cache', nats: 'bus' } as const
/** What every image says by itself, and would be taken from it. */
const OWN_VARIABLE = /^(?:PATH|HOME|HOSTNAME|MSVC_.*)$/
/** Loopback addresses mean another machine in each container. */
const LOOPBACK = /^[a-z+]+:\/\/(?:[^/@]*@)?(?:127\.|localhost|\[::1\])/i

/** Plans what is to run elsewhere by the file that `msvc up` goes by: the same roles and services, on servers in place of the embedded stores. */
export function planDeployment({ configured, file, scale, folder, here, image }: DeploymentOptions): Deployment {
  const { settings, roles, own } = configured
  const sources = file === undefined ? here : dirname(file.path)
  refuseUnprintable([
    ['the name of the file', file === undefined ? '' : basename(file.path)],
    ['--out', pathBetween(sources, folder)],
    ['the folder of the file', pathBetween(folder, sources)],
    ...Object.entries(own).map(([name, { dir }]) => [`services.${name}.dir`, dir] as const),
  ])
  const wanted = rolesOf({ without: settings.up.without })
  const parts = wanted.flatMap((name) => {
    const role = roles.find((each) => each.name === name)
    return role ? [rolePart(role, configured, wanted, scale)] : []
  })
  const services = Object.keys(own).map((name) => servicePart(name, sources, configured, scale))
  checkScale(scale, wanted, Object.keys(own))
  const needed = new Set(parts.flatMap(({ stores }) => stores))
  const stores = (['postgres', 'redis', 'nats'] as const).flatMap((kind) =>
    needed.has(kind) ? [storePart(kind, settings[SETTINGS[kind]])] : [],
  )
  const clash = stores.find(({ kind, elsewhere }) => elsewhere === undefined && Object.hasOwn(own, kind))
  if (clash)
    throw new AppError(
      'CONFIG_INVALID',
      `services.${clash.kind} is called as the server that roles keep things in; give the service another name, or name a server in ${SETTINGS[clash.kind]} that runs elsewhere`,
    )
  return {
    name: nameOf(file?.path),
    version: VERSION,
    image: image === undefined ? ownImage(VERSION) : readImage(image, VERSION, '--image'),
    environment: configured.saidBy(['environment']) === undefined ? 'production' : settings.environment,
    file: file?.text,
    isFilePrivate: file?.isPrivate ?? false,
    fileName: file === undefined ? 'msvc.yaml' : basename(file.path),
    sources: pathBetween(folder, sources),
    folder: pathBetween(sources, folder),
    privatePaths: privatePaths(configured, sources),
    hosts: settings.auth.hosts,
    roles: parts,
    services,
    stores,
    scale,
    drainSeconds: settings.drain_seconds,
  }
}

function rolePart(
  role: AnyRole,
  { sections }: Configured,
  wanted: readonly string[],
  scale: DeploymentOptions['scale'],
): RolePart {
  const { name, service, summary, needs } = role
  const port = sections[name]?.port ?? role.port
  if (port === 0)
    throw new AppError(
      'CONFIG_INVALID',
      `${name}.port is 0, any free one, which nobody could be told beforehand; give it a number to deploy it`,
    )
  return {
    name,
    service,
    summary,
    port,
    replicas: scale.get(name) ?? REPLICAS[name] ?? 1,
    needs: needs.filter((need) => wanted.includes(need)),
    stores: storesOf(role),
    isEntrance: name === ENTRANCE,
    memoryMb: MORE_MEMORY_MB[name] ?? MEMORY_MB,
  }
}

/** What a role works on. The gateway's limits are counted where all of its replicas see them. */
function storesOf({ name, keeps, agreesIn }: AnyRole): readonly StoreKind[] {
  const kinds = new Set<StoreKind>()
  if (keeps || agreesIn === 'store') kinds.add('postgres')
  if (agreesIn === 'cache' || name === ENTRANCE) kinds.add('redis')
  if (agreesIn === 'bus') kinds.add('nats')
  return [...kinds]
}

/** Refuses replicas of what isn't deployed. */
function checkScale(scale: DeploymentOptions['scale'], roles: readonly string[], services: readonly string[]): void {
  const names = [...roles, ...services]
  const unknown = [...scale.keys()].find((name) => !names.includes(name))
  if (unknown === undefined) return
  throw new AppError(
    'USAGE',
    `--scale: ${unknown} is not deployed${didYouMean(unknown, names)} (there are ${names.join(', ')})`,
  )
}

function servicePart(
  name: string,
  sources: string,
  { own }: Configured,
  scale: DeploymentOptions['scale'],
): ServicePart {
  const service = own[name]
  if (!service) throw new TypeError(`${name} is no service of the file`)
  // absolute where it is going to run here
  const place = resolve(sources, service.dir)
  const dir = pathBetween(sources, place)
  if (dir.startsWith('..') || isAbsolute(dir))
    throw new AppError(
      'CONFIG_INVALID',
      `services.${name}.dir lies outside of ${sources}, and only what is in there is deployed; move it, or the file`,
    )
  return {
    name,
    own: service,
    dir,
    recipe: recipeOf(service, openFolder(place, '.'), posix.join(APP, dir)),
    variables: variablesOf(service),
    replicas: scale.get(name) ?? service.replicas,
    memoryMb: SERVICE_MEMORY_MB,
    needs: service.needs,
  }
}

/** Where the platform of this configuration keeps what nobody else is to have. */
function privatePaths({ settings, sections }: Configured, sources: string): readonly string[] {
  const files = Object.values(sections).flatMap((section) => Object.entries(section))
  const keys = files.flatMap(([field, value]) => (field.endsWith('_file') && typeof value === 'string' ? [value] : []))
  return [settings.data, settings.auth.key_file, settings.auth.token_file, ...keys].flatMap((path) =>
    path === undefined ? [] : [pathBetween(sources, resolve(sources, path))],
  )
}

function variablesOf({ env }: OwnService): readonly Wanted[] {
  const wanted = Object.values(env)
    .flatMap(wantedBy)
    .filter(({ name }) => !OWN_VARIABLE.test(name))
  const names = [...new Set(wanted.map(({ name }) => name))]
  // one that is wanted in several places needs to be there by the strictest
  return names.map((name) => ({ name, hasDefault: wanted.every((one) => one.name !== name || one.hasDefault) }))
}

function storePart(kind: StoreKind, url: string): StorePart {
  const variable = VARIABLES[kind]
  if (isEmbedded(url)) return { kind, variable, elsewhere: undefined, here: undefined }
  return LOOPBACK.test(url)
    ? { kind, variable, elsewhere: undefined, here: url }
    : { kind, variable, elsewhere: url, here: undefined }
}

function pathBetween(from: string, to: string): string {
  return relative(from, to).split(sep).join('/') || '.'
}

/** Named after the folder of the file, as compose names a project. */
function nameOf(file: string | undefined): string {
  const folder = file === undefined ? '' : basename(dirname(file))
  const words = folder.toLowerCase().match(/[a-z0-9]+/g) ?? []
  return words.join('-').slice(0, 40).replace(/-$/, '') || 'msvc'
}
