import { expect, it } from 'vitest'
import { folded } from './folded.ts'

it.each([
  ['nobody listens here', 14, ['nobody listens', 'here']],
  ['short', 80, ['short']],
  ['a-long-word and more', 5, ['a-long-word', 'and', 'more']],
  ['日本 語', 4, ['日本', '語']],
])('folds %s to %i columns', (text, width, lines) => {
  expect(folded(text, width)).toEqual(lines)
})
