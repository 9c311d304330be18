import type { DeployFile, Deployment } from './deployment.ts'

/** What a kind of deployment comes to. */
export interface Written {
  readonly files: readonly DeployFile[]
  /** What a person does next, a line each: commands, as they are typed in the folder. */
  readonly next: readonly string[]
  /** What of the file doesn't go well with it, a sentence each. Default: nothing. */
  readonly remarks?: readonly string[]
}

/** Makes random texts for secrets. @returns as many letters and digits as asked for */
export type SecretText = (length: number) => string

/** Writes a deployment down. */
export type Writer = (deployment: Deployment, secret: SecretText) => Written | Promise<Written>

/** A kind of deployment. */
export interface Kind {
  /** Its word on the command line. */
  readonly name: string
  readonly summary: string
  readonly description: string
  readonly examples: string
  /** Whether it is of images, so that `--image` says where they are pulled from. */
  readonly hasImages: boolean
  /** Loaded when it is asked for. */
  readonly load: () => Promise<Writer>
}

/** All of them. */
export const KINDS: readonly Kind[] = [
  {
    name: 'docker',
    hasImages: true,
    summary: 'Dockerfiles for Linux and Windows',
    description:
      'Writes a Dockerfile for Linux (no shell, user 10001, a root that need not be written), one for Windows, and one for each service of yours.',
    examples: `
Examples:
  $ msvc deploy docker
  $ msvc deploy docker --out docker
  $ cp "$(command -v msvc)" docker/ && docker build -t msvc docker`,
    load: async () => (await import('./docker/docker.ts')).writeDocker,
  },
  {
    name: 'compose',
    hasImages: true,
    summary: 'a file for docker compose, stores and secrets included',
    description:
      'Writes compose.yaml: each role in containers of its own, PostgreSQL, Redis and NATS, services of yours, secrets as files, and networks that keep the stores inside.',
    examples: `
Examples:
  $ msvc deploy compose
  $ msvc deploy compose --scale gateway=2 --scale payment=2
  $ cd deploy/compose && docker compose up -d --wait`,
    load: async () => (await import('./compose/compose.ts')).writeCompose,
  },
  {
    name: 'systemd',
    hasImages: false,
    summary: 'units of systemd for one machine',
    description:
      'Writes a unit for each role and each service of yours, locked up, with a socket that keeps the gateway open while it is started again.',
    examples: `
Examples:
  $ msvc deploy systemd
  $ msvc deploy systemd --out units
  $ systemctl status 'msvc-*'`,
    load: async () => (await import('./systemd/systemd.ts')).writeSystemd,
  },
  {
    name: 'kubernetes',
    hasImages: true,
    summary: 'a kustomization, stores, secrets and policies included',
    description:
      'Writes a kustomization with a file for each role, service of yours and store: pods without rights, probes, budgets, autoscalers, and network policies by which each talks to whom it has to.',
    examples: `
Examples:
  $ msvc deploy kubernetes
  $ msvc deploy kubernetes --scale gateway=2 --out /srv/shop/cluster
  $ msvc deploy kubernetes --image registry.example/shop/msvc:1.0
  $ kubectl apply -k deploy/kubernetes`,
    load: async () => (await import('./kubernetes/kubernetes.ts')).writeKubernetes,
  },
]
