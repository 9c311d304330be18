import { expect, it } from 'vitest'
import {
  clockFinding,
  fittingHeap,
  folderFindings,
  heapFinding,
  limitFindings,
  portsFinding,
} from './system-findings.ts'

const MIB = 2 ** 20
const GOOD = {
  openFiles: 65_536,
  memoryBytes: 4 * 2 ** 30,
  processors: 2,
  outgoingPorts: [32_768, 60_999],
  backlog: 4_096,
} as const
const DISK = { name: 'ext4', isNetwork: false, freeBytes: 20 * 2 ** 30 }

it('has nothing to say of what is good, and no word for what is not told', () => {
  expect([...limitFindings(GOOD), ...folderFindings(DISK, true)].filter(({ is }) => is !== 'good')).toEqual([])
  const { memoryBytes, processors } = GOOD
  expect(limitFindings({ memoryBytes, processors }).map(({ is }) => is)).toEqual([
    ...['unknown', 'good', 'good', 'unknown', 'unknown'],
  ])
})

it.each([
  ['open files', { openFiles: 1_024 }, 'low', '1,024', /^ulimit -n 20000 /],
  ['open files', { openFiles: 256 }, 'bad', '256', /LimitNOFILE=/],
  ['memory', { memoryBytes: 256 * MIB }, 'low', '256 MiB', /^give 512 MiB /],
  ['memory', { memoryBytes: 64 * MIB }, 'bad', '64 MiB', /in_process/],
  ['processors', { processors: 0.5 }, 'low', '0.5', /--cpus/],
  ['outgoing ports', { outgoingPorts: [60_000, 60_999] }, 'low', '1,000', /ip_local_port_range/],
  ['listen backlog', { backlog: 128 }, 'low', '128', /somaxconn=4096/],
] as const)('tells of %s that are too few, and how to raise them', (what, given, is, found, remedy) => {
  const told = limitFindings({ ...GOOD, ...given }).filter((finding) => finding.is !== 'good')
  expect(told).toEqual([{ what, is, found, remedy: expect.stringMatching(remedy) }])
})

it('refuses a network’s file system for what is kept in it, and no other', () => {
  const nfs = { ...DISK, name: 'nfs', isNetwork: true }
  expect(folderFindings(nfs, true)[0]).toMatchObject({
    found: 'nfs',
    is: 'bad',
    remedy: expect.stringContaining('on a disk of this machine'),
  })
  expect(folderFindings(nfs, false)[0]).toMatchObject({ is: 'good' })
})

it.each([
  [512 * MIB, 'low', '512 MiB'],
  [MIB, 'bad', '1 MiB'],
])('says how much room there is left: %d bytes', (freeBytes, is, found) => {
  expect(folderFindings({ ...DISK, freeBytes }, true)[1]).toMatchObject({
    is,
    found,
    remedy: expect.stringMatching(/^make room/),
  })
})

it.each([
  [262, 128, 'low', 'up to 262 MiB of 128 MiB'],
  [82, 128, 'good', 'up to 82 MiB of 128 MiB'],
  [4_192, 24_576, 'good', 'up to 4.1 GiB of 24 GiB'],
])('says of a heap whether it fits into the memory: %d of %d MiB', (limit, memory, is, found) => {
  expect(heapFinding(limit * MIB, memory * MIB)).toMatchObject({ is, found })
})

const NOW = Date.parse('2026-05-01T12:00:00Z')
const WRITTEN = [
  { what: 'the newest file of the data folder, run.json', at: NOW - 1_000 },
  { what: 'the program, /bin/msvc', at: NOW + 59_000 },
]
const clock = (now: number, aheadMs?: number, platform?: NodeJS.Platform) =>
  clockFinding(
    now,
    { written: WRITTEN, apart: aheadMs === undefined ? [] : [{ what: 'the registry at http://a', aheadMs }] },
    platform,
  )

it('finds nothing wrong with a clock that is ahead of all that it wrote', () => {
  expect(clock(NOW)).toEqual({ what: 'clock', found: '2026-05-01T12:00:00.000Z', is: 'good' })
})

it.each([
  [-7_200_000, undefined, /, 2 h behind the program, \/bin\/msvc$/],
  [-400 * 86_400_000, undefined, /, 400 days behind the program/],
  [0, 45_000, /, 45 s behind the registry at http:\/\/a$/],
  [0, -600_000, /, 10 min ahead of the registry/],
])('finds a clock bad that went back, or that no other goes with', (by, aheadMs, found) => {
  expect(clock(NOW + by, aheadMs, 'linux')).toMatchObject({
    ...{ is: 'bad', found: expect.stringMatching(found), remedy: 'set it: timedatectl set-ntp true' },
  })
})

it('says on Windows what can be done there', () => {
  expect(clock(0, 0, 'win32').remedy).toBe('set it: w32tm /resync')
  expect(heapFinding(262 * MIB, 128 * MIB, 'win32').remedy).toMatch(/^set NODE_OPTIONS=/)
  const [memory, processors] = limitFindings({ memoryBytes: MIB, processors: 0.5 }, { platform: 'win32' }).slice(1)
  for (const finding of [memory, processors]) expect(finding?.remedy).not.toMatch(/Docker|sysctl|systemd|Kubernetes/)
})

it('wants less for one role alone', () => {
  const memoryOf = (alone: boolean) => limitFindings({ ...GOOD, memoryBytes: 256 * MIB }, { alone })[1]
  expect([memoryOf(true)?.is, memoryOf(false)?.is]).toEqual(['good', 'low'])
})

it.each([
  [262, 128, 76],
  [262, 400, undefined],
  [4_192, 24_576, undefined],
])('bounds a heap that would outgrow the memory, and no other: %d of %d MiB', (limit, memory, megabytes) => {
  expect(fittingHeap(limit * MIB, memory * MIB)).toBe(megabytes)
})

it('names the ports that somebody else has', () => {
  expect(portsFinding([])).toEqual({ what: 'ports', found: 'free', is: 'good' })
  const taken = [{ role: 'registry', host: '127.0.0.1', port: 8_500 }]
  expect(portsFinding(taken)).toMatchObject({ is: 'low', found: 'taken: 127.0.0.1:8500 of registry' })
})
