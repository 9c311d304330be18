import { describe, expect, it } from 'vitest'
import { columns } from './columns.ts'

describe('columns', () => {
  it('aligns cells and lets no control character through', () => {
    const text = columns([
      ['A', 'B'],
      ['long', '\u001b[31mred'],
    ])
    expect(text).toBe('A     B\nlong  \\u001b[31mred')
  })
})
