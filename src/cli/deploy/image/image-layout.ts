import { createHash } from 'node:crypto'
import { CONTAINER_USER, DATA_FOLDER, HEAP_OPTIONS, PROGRAM, VOLUME } from '../container.ts'
import type { Architecture } from './program-file.ts'

/** A layer as it lies in an image. */
export interface Layer {
  /** Of the compressed bytes: how it is found. */
  readonly digest: string
  /** Of the bytes in it: what it is (OCI image configuration, rootfs.diff_ids). */
  readonly diffId: string
  readonly bytes: number
  /** What it brings, for whoever looks at the image's history. */
  readonly what: string
}

/** What an image says of itself. */
export interface ImageOptions {
  /** Such as `msvc:0.1.0`. */
  readonly tag: string
  readonly version: string
  readonly architecture: Architecture['name']
  /** When it was made, as it says. */
  readonly created: Date
  /** Ports of the roles. */
  readonly ports: readonly number[]
  /** From the lowest on. */
  readonly layers: readonly Layer[]
}

/** A document of an image. */
export interface Blob {
  readonly path: string
  readonly text: string
}

const NANOSECONDS = 1_000_000_000
const OCI = 'application/vnd.oci.image'

/** Where a blob lies in an image. @param digest with its algorithm, `sha256:…` */
export function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`
}

/**
 * The documents of an image with these layers: an OCI image layout (https://github.com/opencontainers/image-spec), and beside it the `manifest.json` of
 * `docker save`, so that one file is taken by docker, podman, skopeo and containerd.
 */
export function imageDocuments(options: ImageOptions): readonly Blob[] {
  const { tag, layers, created, architecture } = options
  const config = blobOf(configOf(options))
  const manifest = blobOf({
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: described(`${OCI}.config.v1+json`, config),
    layers: layers.map(({ digest, bytes }) => ({ mediaType: `${OCI}.layer.v1.tar+gzip`, digest, size: bytes })),
    annotations: annotationsOf(options),
  })
  const [, name = tag] = /:([^:/]+)$/.exec(tag) ?? []
  const index = {
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: [
      {
        ...described(`${OCI}.manifest.v1+json`, manifest),
        platform: { architecture, os: 'linux' },
        annotations: {
          'org.opencontainers.image.ref.name': name,
          'org.opencontainers.image.created': created.toISOString(),
          'io.containerd.image.name': fullName(tag),
        },
      },
    ],
  }
  const saved = [
    { Config: blobPath(config.digest), RepoTags: [tag], Layers: layers.map(({ digest }) => blobPath(digest)) },
  ]
  return [
    { path: 'oci-layout', text: JSON.stringify({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', text: JSON.stringify(index) },
    { path: 'manifest.json', text: JSON.stringify(saved) },
    { path: blobPath(config.digest), text: config.text },
    { path: blobPath(manifest.digest), text: manifest.text },
  ]
}

function configOf({ architecture, created, version, ports, layers, ...options }: ImageOptions) {
  const at = created.toISOString()
  return {
    created: at,
    architecture,
    os: 'linux',
    config: {
      User: `${CONTAINER_USER}:${CONTAINER_USER}`,
      ExposedPorts: Object.fromEntries(ports.map((port) => [`${port}/tcp`, {}])),
      Env: ['PATH=/usr/local/bin', `MSVC_DATA=${DATA_FOLDER}`, 'MSVC_LOG_FORMAT=json', `NODE_OPTIONS=${HEAP_OPTIONS}`],
      Entrypoint: [PROGRAM],
      Cmd: ['--help'],
      Volumes: { [VOLUME]: {} },
      WorkingDir: VOLUME,
      StopSignal: 'SIGTERM',
      Labels: annotationsOf({ created, version, ...options }),
      // not in the specification, and what docker and podman take from it
      Healthcheck: {
        Test: ['CMD', PROGRAM, 'health', '--self', '--quiet'],
        Interval: 30 * NANOSECONDS,
        Timeout: 10 * NANOSECONDS,
        StartPeriod: 60 * NANOSECONDS,
        StartInterval: NANOSECONDS,
        Retries: 3,
      },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ what }) => ({ created: at, created_by: `msvc deploy image: ${what}` })),
  }
}

/** https://github.com/opencontainers/image-spec/blob/main/annotations.md */
function annotationsOf({ created, version }: Pick<ImageOptions, 'created' | 'version'>) {
  return {
    'org.opencontainers.image.created': created.toISOString(),
    'org.opencontainers.image.title': 'msvc',
    'org.opencontainers.image.description': 'Any role of a microservices platform, or all of them',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.licenses': 'MIT',
  }
}

/** As containerd names images, by their registry too. */
function fullName(tag: string): string {
  const [first = '', ...rest] = tag.split('/')
  if (rest.length === 0) return `docker.io/library/${tag}`
  return /[.:]|^localhost$/.test(first) ? tag : `docker.io/${tag}`
}

function blobOf(document: object): { readonly text: string; readonly digest: string } {
  const text = JSON.stringify(document)
  return { text, digest: `sha256:${createHash('sha256').update(text).digest('hex')}` }
}

function described(mediaType: string, { text, digest }: ReturnType<typeof blobOf>) {
  return { mediaType, digest, size: Buffer.byteLength(text) }
}
