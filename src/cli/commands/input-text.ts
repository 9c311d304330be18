import { AppError } from '../../kit/errors.ts'
import { ByteBlocks } from '../../kit/http/byte-blocks.ts'

/** All of an input as text. Throws AppError `INVALID_BODY` past `maxBytes`. @param name what it is called then */
export async function inputText(
  source: AsyncIterable<Uint8Array | string>,
  name: string,
  maxBytes: number,
): Promise<string> {
  const input = new ByteBlocks()
  for await (const chunk of source) {
    input.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
    if (input.size > maxBytes) throw new AppError('INVALID_BODY', `${name} holds more than ${maxBytes} bytes`)
  }
  return input.take().toString('utf8')
}
