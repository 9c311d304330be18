/** Another broker leads a subscription now, or none does: whoever asked looks again. Leaves no driver. */
export class Moved extends Error {
  override readonly name = 'Moved'

  constructor(options?: ErrorOptions) {
    super('another broker leads this subscription now', options)
  }
}
