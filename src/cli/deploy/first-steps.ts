import type { Deployment } from './deployment.ts'
import { buildCommand } from './docker/service-dockerfile.ts'
import { ownImage, serviceImage } from './image-name.ts'
import { shellWord } from './shell-word.ts'

/** Scopes that somebody wants who tries a role, by its CLI word. */
const TRIED: Readonly<Record<string, string>> = { user: 'users:write', order: 'orders:write' }

/** How a container engine gets the platform's image. */
export function loadingImage({ image, version }: Pick<Deployment, 'image' | 'version'>): string {
  const tag = image === ownImage(version) ? '' : ` --tag ${image}`
  return `msvc deploy image msvc.tar${tag} && docker load -i msvc.tar`
}

/** How it builds those of the user's services, in the folder of the deployment. */
export function buildingImages(
  deployment: Deployment,
): readonly { readonly image: string; readonly command: string }[] {
  return deployment.services.map(({ name }) => ({
    image: serviceImage(deployment, name),
    command: buildCommand(deployment, name, 'deployment'),
  }))
}

/** How a first token is made in a container of the gateway, with scopes of what runs behind it; undefined where there is no gateway. */
export function makingToken({ roles, services }: Pick<Deployment, 'roles' | 'services'>): string | undefined {
  if (!roles.some(({ isEntrance }) => isEntrance)) return undefined
  const own = services.flatMap(({ own: { route } }) => Object.values(route?.methods ?? {}).flatMap(scopesOf))
  const scopes = new Set([...roles.flatMap(({ name }) => TRIED[name] ?? []), ...own])
  return `msvc token --subject me${scopes.size > 0 ? ` --scope ${shellWord([...scopes].join())}` : ''}`
}

const scopesOf = (access: string | readonly string[]) => (typeof access === 'string' ? [] : access)

/** How secrets of services are given to the config server, in a container of it: each from the file that stdin is. */
export function settingSecrets({ roles, services }: Pick<Deployment, 'roles' | 'services'>) {
  if (!roles.some(({ name }) => name === 'config-server')) return []
  return services.flatMap(({ name, own }) =>
    own.secrets.map((secret) => ({ secret, command: `msvc config set ${name} ${secret} - --secret` })),
  )
}
