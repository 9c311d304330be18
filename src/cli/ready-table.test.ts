import { describe, expect, it } from 'vitest'
import { columns, readyText } from './ready-table.ts'

describe('columns', () => {
  it('aligns cells and lets no control character through', () => {
    const text = columns([
      ['A', 'B'],
      ['long', '\u001b[31mred'],
    ])
    expect(text).toBe('A     B\nlong  \\u001b[31mred')
  })
})

describe('readyText', () => {
  const role = {
    unit: 'gateway',
    role: 'gateway',
    service: 'api-gateway',
    url: 'http://127.0.0.1:65535',
    pid: 4_194_304,
  }

  it('has lines that can be copied at 80 columns', () => {
    const lines = readyText({ state: { roles: [role] }, token: 'x', seed: '4194304' }).split('\n')
    expect(lines.filter((line) => line.length > 80)).toEqual([])
    const command = lines.slice(lines.findIndex((line) => line.startsWith('curl')))
    expect(command.join('\n').trimEnd()).toMatch(/^curl .* \\\n-H .* \\\n-d '\{.*\}'$/)
  })

  it('has no request to copy without a gateway', () => {
    expect(readyText({ state: { roles: [] }, seed: '1' })).not.toContain('curl')
  })
})
