import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

it('ends with the exit code, and leaves the engine the flags that it had', () => {
  const script = `
const { exitProcess } = await import(${JSON.stringify(join(import.meta.dirname, 'process-exit.ts'))})
process.once('exit', () => process.stdout.write(typeof (vm.runInNewContext('globalThis')).gc))
const vm = await import('node:vm')
exitProcess(7)`
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  })
  expect({ status, stdout }).toEqual({ status: 7, stdout: 'undefined' })
})
