import { CONTAINER_USER, DATA_FOLDER, HEAP_OPTIONS, PROGRAM, VOLUME } from '../container.ts'
import type { Deployment } from '../deployment.ts'
import type { Written } from '../kinds.ts'
import { buildCommand, serviceDockerfiles } from './service-dockerfile.ts'
import { remarksOn } from './service-remarks.ts'

/** Writes the Dockerfiles. */
export function writeDocker(deployment: Deployment): Written {
  const image = deployment.image
  return {
    remarks: deployment.services.flatMap(remarksOn),
    files: [
      { path: 'Dockerfile', text: linux(deployment) },
      { path: 'Dockerfile.windows', text: windows(deployment) },
      {
        path: '.dockerignore',
        text: `${['# all that an image needs is the program', '*', '!msvc', '!msvc.exe'].join('\n')}\n`,
      },
      // the program is copied to where it is built from
      { path: '.gitignore', text: 'msvc\nmsvc.exe\n' },
      ...serviceDockerfiles(deployment),
    ],
    next: [
      'cp "$(command -v msvc)" .',
      `docker build -t ${image} .`,
      `docker run --rm ${image} --version`,
      ...deployment.services.map(({ name }) => buildCommand(deployment, name, 'deployment')),
    ],
  }
}

function linux({ version }: Deployment): string {
  return `# syntax=docker/dockerfile:1
# msvc ${version}: every role of the platform. The program lies beside this file: cp "$(command -v msvc)" .
FROM debian:bookworm-slim AS program
COPY --chmod=0755 msvc /image${PROGRAM}
RUN /image${PROGRAM} --version \\
 && install -d -m 1777 /image${VOLUME}

# glibc, libstdc++ and libgcc, and nothing else: no shell, no package manager
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=program /image/ /
# the heap has its share of the container's memory
ENV MSVC_DATA=${DATA_FOLDER} MSVC_LOG_FORMAT=json NODE_OPTIONS=${HEAP_OPTIONS}
USER ${CONTAINER_USER}:${CONTAINER_USER}
WORKDIR ${VOLUME}
VOLUME ${VOLUME}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --start-interval=1s --retries=3 CMD ["${PROGRAM}", "health", "--self", "--quiet"]
ENTRYPOINT ["${PROGRAM}"]
CMD ["--help"]
`
}

function windows({ version }: Deployment): string {
  return `# escape=\`
# msvc ${version} for Windows containers. The program lies beside this file: msvc.exe
FROM mcr.microsoft.com/windows/nanoserver:ltsc2022
COPY msvc.exe C:/msvc/msvc.exe
ENV MSVC_DATA=C:/data/msvc MSVC_LOG_FORMAT=json
USER ContainerUser
WORKDIR C:/data
VOLUME C:/data
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["C:/msvc/msvc.exe", "health", "--self", "--quiet"]
ENTRYPOINT ["C:/msvc/msvc.exe"]
CMD ["--help"]
`
}
