import type { Publication } from '../publisher.ts'

/** The form lies beside the attributes, under a name that none of them can have. */
const FORM = 'data_form'

/** Attributes and form as a row has them. */
export function attributesText({ attributes, form }: Pick<Publication, 'attributes' | 'form'>): string {
  return JSON.stringify(form === undefined ? attributes : { ...attributes, [FORM]: form })
}

/** Reads what `attributesText` wrote. */
export function readAttributes(text: string): Pick<Publication, 'attributes' | 'form'> {
  const attributes: Record<string, string> = JSON.parse(text)
  const form = attributes[FORM]
  if (form !== 'bytes' && form !== 'none') return { attributes }
  delete attributes[FORM]
  return { attributes, form }
}
