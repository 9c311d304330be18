import { posix } from 'node:path'
import { CONTAINER_USER, DATA_FOLDER, PROGRAM } from '../container.ts'
import type { DeployFile, Deployment, ServicePart } from '../deployment.ts'
import { serviceImage } from '../image-name.ts'
import type { Language } from './service-stack.ts'
import { installed, TOOLCHAINS } from './toolchains.ts'

/** Where the folder of the file is in the image. */
const APP = '/app'

/** What a service's Dockerfile is called, in the folder of the deployment. */
export function dockerfileOf(name: string): string {
  return `${name}.Dockerfile`
}

/** Dockerfiles of the user's services, with what of their folders is no part of an image. */
export function serviceDockerfiles(deployment: Deployment): readonly DeployFile[] {
  return deployment.services.flatMap((service) => [
    { path: dockerfileOf(service.name), text: serviceDockerfile(deployment, service) },
    { path: `${dockerfileOf(service.name)}.dockerignore`, text: IGNORED },
  ])
}

/** BuildKit reads it beside the Dockerfile. */
const IGNORED = `# what is no part of the image: history, secrets, and what is made anew in it
**/.git
**/.msvc
**/.env*
**/secrets
**/node_modules
**/.venv
**/__pycache__
**/target
**/*.log
`

function serviceDockerfile(deployment: Deployment, service: ServicePart): string {
  const { name, own, dir, stack } = service
  const { sources, folder, fileName } = deployment
  const place = posix.join(APP, dir)
  const { image, isSlim } = TOOLCHAINS[stack.language]
  // what was built runs without the tools that it was built by
  const isBuiltApart = own.build !== undefined && !stack.isTool && stack.language !== 'other'
  const base = isBuiltApart ? TOOLCHAINS.other.image : image
  const copied = `${place}/`
  const install = installed(stack)
  const build = own.build === undefined ? [] : ['', '# build, as msvc.yaml says it', `RUN ${commandOf(own.build)}`]
  const sourcesCopied = [
    `WORKDIR ${place}`,
    ...(stack.manifests.length > 0 && install.length > 0
      ? [
          '# what it depends on, installed anew only when these change',
          `COPY ${words([...stack.manifests.map((file) => posix.join(dir, file)), './'])}`,
          ...install,
        ]
      : []),
    `COPY ${words([`${dir}/`, './'])}`,
    ...build,
  ]
  const user = `${CONTAINER_USER}:${CONTAINER_USER}`
  return `# syntax=docker/dockerfile:1
# ${name}, and msvc beside it, which registers it and holds its doors open. Built in the folder of ${fileName}, after the image of msvc:
#   docker build -f ${posix.join(folder, dockerfileOf(name))} -t ${serviceImage(deployment, name)} ${sources}
FROM ${deployment.image} AS msvc

${isBuiltApart ? `FROM ${image} AS build\n${sourcesCopied.join('\n')}\n\n` : ''}FROM ${base}
${systemPackages(stack.language, isBuiltApart, isSlim)}${isBuiltApart ? `WORKDIR ${place}\nCOPY --from=build ${words([copied, './'])}` : sourcesCopied.join('\n')}

WORKDIR ${APP}
COPY ${words([fileName, './msvc.yaml'])}
COPY --from=msvc ${PROGRAM} ${PROGRAM}
RUN install -d -m 0700 -o ${CONTAINER_USER} -g ${CONTAINER_USER} ${DATA_FOLDER}
ENV MSVC_DATA=${DATA_FOLDER} MSVC_LOG_FORMAT=json MSVC_UP_BUILD=false HOME=/tmp
USER ${user}
VOLUME ${DATA_FOLDER}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["${PROGRAM}", "health", "--self", "--quiet"]
ENTRYPOINT ["${PROGRAM}"]
CMD ["up", "--only", "${name}", "--in-process"]
`
}

/** A line for the shell as it is, words in Docker's exec form. A line break goes on behind it. */
function commandOf(command: NonNullable<ServicePart['own']['build']>): string {
  return typeof command === 'string' ? command.trim().replaceAll('\n', ' && \\\n ') : JSON.stringify(command)
}

/** Paths of a COPY, in quotes where one of them has a blank. */
function words(paths: readonly string[]): string {
  return paths.some((path) => /[\s"[\]$\\]/.test(path)) ? JSON.stringify(paths) : paths.join(' ')
}

function systemPackages(language: Language, isBuiltApart: boolean, isSlim: boolean): string {
  if (!isSlim) return ''
  const what =
    language === 'other' && !isBuiltApart ? '# what its command needs besides goes behind ca-certificates\n' : ''
  return `${what}RUN apt-get update \\
 && apt-get install -y --no-install-recommends ca-certificates \\
 && rm -rf /var/lib/apt/lists/*
`
}
