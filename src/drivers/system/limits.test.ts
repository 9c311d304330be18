import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { systemLimits } from './limits.ts'

/** A root in which these files are. */
function rootWith(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'msvc-limits-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             94914                94914                processes
Max open files            1024                 unlimited            files
`

it('reads what Linux tells, by the control group that this process is in', () => {
  const root = rootWith({
    'proc/self/limits': LIMITS,
    'proc/self/cgroup': '0::/shop/user\n',
    'proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
    'proc/sys/net/core/somaxconn': '4096\n',
    'sys/fs/cgroup/shop/user/memory.max': '67108864\n',
    'sys/fs/cgroup/shop/user/cpu.max': '50000 100000\n',
  })
  expect(systemLimits(root, 0)).toEqual({
    openFiles: 1_024,
    outgoingPorts: [32_768, 60_999],
    backlog: 4_096,
    memoryBytes: 67_108_864,
    processors: 0.5,
  })
})

it('goes by the least that any group above this process may have', () => {
  const root = rootWith({
    'proc/self/cgroup': '0::/shop/user/role\n',
    'sys/fs/cgroup/shop/memory.max': '67108864\n',
    'sys/fs/cgroup/shop/user/memory.max': 'max\n',
    'sys/fs/cgroup/shop/user/role/memory.max': '134217728\n',
    'sys/fs/cgroup/shop/user/cpu.max': '25000 100000\n',
    'sys/fs/cgroup/shop/user/role/cpu.max': '50000 100000\n',
  })
  expect(systemLimits(root, 0)).toMatchObject({ memoryBytes: 67_108_864, processors: 0.25 })
})

it('goes by the whole machine where no group has a bound, and says nothing of what it is not told', () => {
  const machine = { memoryBytes: totalmem(), processors: availableParallelism() }
  expect(systemLimits(rootWith({}), 0)).toEqual(machine)
  const unbound = {
    'proc/self/cgroup': '0::/\n',
    'sys/fs/cgroup/memory.max': 'max\n',
    'sys/fs/cgroup/cpu.max': 'max 100000\n',
  }
  expect(systemLimits(rootWith(unbound), 0)).toEqual(machine)
})

it('goes by what Node knows of cgroup v1, which has its bounds elsewhere', () => {
  expect(systemLimits(rootWith({ 'proc/self/cgroup': '4:memory:/shop\n' }), 134_217_728).memoryBytes).toBe(134_217_728)
})

it('finds what this machine has', () => {
  const { memoryBytes, processors, openFiles } = systemLimits()
  expect([memoryBytes > 0, processors > 0]).toEqual([true, true])
  if (process.platform === 'linux') expect(openFiles).toBeGreaterThan(0)
})
