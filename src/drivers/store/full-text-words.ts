/**
 * The words of a text as FTS5's tokenizer `unicode61 remove_diacritics 2` splits them (letters, figures and private characters, with their marks), a
 * space on each side of each, without capitals and accents. It stands alone, as `phraseTest` does.
 */
export function wordsOf(text: string): string {
  // most are all ASCII, and these take a third of the time
  if (!/[^\0-\x7f]/.test(text))
    return ` ${text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, ' ')
      .trim()} `
  const words = text.match(/[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{Co}\p{Mn}]*/gu) ?? []
  return ` ${words
    .join(' ')
    .toLowerCase()
    .normalize('NFD')
    .replaceAll(/\p{Mn}/gu, '')} `
}

/**
 * Makes what `longReads` has as the SQL function `has_phrases(text, phrases)`: whether all the phrases, an array as JSON, occur in a text as FTS5 would
 * find them; those without a word don't count. The reading thread is given the source text of it and of `wordsOf`: nothing that stands outside of them exists there.
 */
export function phraseTest(words: typeof wordsOf): (text: string, phrases: string) => 0 | 1 {
  let known = ''
  let tests: readonly { readonly words: string; readonly inAscii: RegExp }[] = []
  function compile(phrases: readonly string[]) {
    const all = phrases.map(words).filter((phrase) => phrase.trim() !== '')
    return all.map((phrase) => ({
      words: phrase,
      // four times as fast as looking for the words of the text, and most texts are all ASCII
      inAscii: new RegExp(`(?<![a-z0-9])${phrase.trim().replaceAll(' ', '[^a-z0-9]+')}(?![a-z0-9])`, 'i'),
    }))
  }
  return (text, phrases) => {
    if (phrases !== known) {
      tests = compile(JSON.parse(phrases))
      known = phrases
    }
    if (!/[^\0-\x7f]/.test(text)) return tests.every(({ inAscii }) => inAscii.test(text)) ? 1 : 0
    const all = words(text)
    return tests.every((phrase) => all.includes(phrase.words)) ? 1 : 0
  }
}
