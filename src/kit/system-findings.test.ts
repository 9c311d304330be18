import { expect, it } from 'vitest'
import { folderFindings, heapFinding, limitFindings, portsFinding } from './system-findings.ts'

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
  ['memory', { memoryBytes: 256 * MIB }, 'low', '256 MiB', /^give it 512 MiB /],
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

it('names the ports that somebody else has', () => {
  expect(portsFinding([])).toEqual({ what: 'ports', found: 'free', is: 'good' })
  const taken = [{ role: 'registry', host: '127.0.0.1', port: 8_500 }]
  expect(portsFinding(taken)).toMatchObject({ is: 'low', found: 'taken: 127.0.0.1:8500 of registry' })
})
