import { posix } from 'node:path'
import { APP, CONTAINER_USER, DATA_FOLDER, PROGRAM, VOLUME } from '../container.ts'
import type { DeployFile, Deployment, ServicePart } from '../deployment.ts'
import { serviceImage } from '../image-name.ts'
import { shellWord } from '../shell-word.ts'
import { ignoredBy } from './ignored.ts'
import { DEBIAN } from './recipe.ts'

/** What a service's Dockerfile is called, in the folder of the deployment. */
export function dockerfileOf(name: string): string {
  return `${name}.Dockerfile`
}

/** Dockerfiles of the user's services, with what of their folders is no part of an image. */
export function serviceDockerfiles(deployment: Deployment): readonly DeployFile[] {
  return deployment.services.flatMap((service) => [
    { path: dockerfileOf(service.name), text: serviceDockerfile(deployment, service) },
    { path: `${dockerfileOf(service.name)}.dockerignore`, text: ignoredBy(deployment, service) },
  ])
}

/** A command that builds a service's image, for a shell. @param from the folder that it is typed in: the deployment's, or that of the file */
export function buildCommand(deployment: Deployment, name: string, from: 'deployment' | 'file'): string {
  const { folder, sources } = deployment
  const [file, context] =
    from === 'deployment' ? [dockerfileOf(name), sources] : [posix.join(folder, dockerfileOf(name)), '.']
  return `docker build -f ${shellWord(file)} -t ${serviceImage(deployment, name)} ${shellWord(context)}`
}

function serviceDockerfile(deployment: Deployment, service: ServicePart): string {
  const { name, own, dir, recipe } = service
  const { fileName } = deployment
  const place = posix.join(APP, dir)
  // what was built runs without the tools that it was built by
  const isBuiltApart = own.build !== undefined && recipe.image !== DEBIAN
  const base = isBuiltApart ? recipe.runtime : recipe.image
  const sourcesCopied = [
    ...recipe.tools,
    `WORKDIR ${escaped(place)}`,
    ...(recipe.manifests.length > 0
      ? [
          '# what it depends on, installed anew only when these change',
          `COPY ${words([...recipe.manifests.map((file) => posix.join(dir, file)), './'])}`,
        ]
      : []),
    ...recipe.install,
    `COPY ${words([`${dir}/`, './'])}`,
    ...recipe.finish,
    ...(own.build === undefined ? [] : ['', '# build, as msvc.yaml says it', `RUN ${commandOf(own.build)}`]),
  ]
  const builder = [`FROM ${recipe.image} AS build`, ...sourcesCopied, ...recipe.trim, '', '']
  const runner = isBuiltApart
    ? [
        ...(recipe.runsByTools ? recipe.tools : []),
        `WORKDIR ${escaped(place)}`,
        `COPY --from=build ${words([`${place}/`, './'])}`,
      ]
    : sourcesCopied
  return `# syntax=docker/dockerfile:1
# ${name}, and msvc beside it, which registers it and holds its doors open. In the folder of ${fileName}, after the image of msvc:
#   ${buildCommand(deployment, name, 'file')}
# ${fileName} is no part of it, and is mounted at ${APP}/msvc.yaml. What its program leaves behind is reaped by docker run --init.
FROM ${deployment.image} AS msvc

${isBuiltApart ? builder.join('\n') : ''}FROM ${base}
${certificates(base)}${[...runner, ...recipe.settle].join('\n')}

COPY --from=msvc ${PROGRAM} ${PROGRAM}
RUN install -d -m 1777 ${VOLUME}
ENV ${variables({ MSVC_DATA: DATA_FOLDER, MSVC_LOG_FORMAT: 'json', MSVC_UP_BUILD: 'false', HOME: '/tmp', ...recipe.environment })}
WORKDIR ${APP}
USER ${CONTAINER_USER}:${CONTAINER_USER}
VOLUME ${VOLUME}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["${PROGRAM}", "health", "--self", "--quiet"]
ENTRYPOINT ["${PROGRAM}"]
CMD ["up", "--only", "${name}", "--in-process"]
`
}

/** A line for the shell as it is where a Dockerfile takes it for one, and else as the word that the shell gets: several lines, a backslash at the end. */
function commandOf(command: NonNullable<ServicePart['own']['build']>): string {
  if (typeof command !== 'string') return JSON.stringify(command)
  const line = command.trim()
  return /[\p{Cc}]|\\$|<<|^(?:\[|--|#)/u.test(line) ? JSON.stringify(['/bin/sh', '-c', command]) : line
}

/** A path as it is, and not what it would mean to Docker. */
function escaped(path: string): string {
  return path.replaceAll(/[\\$"']/g, String.raw`\$&`)
}

/** Paths of a COPY, which are patterns: in quotes where one of them has a blank. */
function words(paths: readonly string[]): string {
  const all = paths.map((path) => escaped(path.replaceAll(/[*?[]/g, '[$&]').replace(/^-/, './-')))
  return all.some((path) => /\s/.test(path)) ? JSON.stringify(all) : all.join(' ')
}

function variables(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${/\s/.test(value) ? `"${value}"` : value}`)
    .join(' \\\n    ')
}

/** Images without the certificates that calls to elsewhere want. */
const WITHOUT_CERTIFICATES = /^(?:debian|node|oven\/bun):/

function certificates(image: string): string {
  if (!WITHOUT_CERTIFICATES.test(image)) return ''
  const what = image === DEBIAN ? '# what its command needs besides goes behind ca-certificates\n' : ''
  return `${what}RUN apt-get update \\
 && apt-get install -y --no-install-recommends ca-certificates \\
 && rm -rf /var/lib/apt/lists/*
`
}
