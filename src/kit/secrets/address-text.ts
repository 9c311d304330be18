/** What stands before the `@` of a NATS address alone: a user without a password is a token. */
const TOKEN = /(?<=^(?:nats|tls):\/\/|,)[^\s/,@:]*@/gi

/** A server's URL as it may be shown: without its password, or token. Of several servers with commas between them too. */
export function withoutPassword(address: string): string {
  return address
    .replace(TOKEN, '')
    .replace(/(?<=^[a-z][a-z0-9+.-]*:\/\/|,)([^\s/,@:]*):[^\s/,]*@/gi, (_, user: string) =>
      user === '' ? '' : `${user}@`,
    )
    .replace(/(?<=[?&])(?:sentinel_)?password=[^&]*&?/gi, '')
    .replace(/[?&]$/, '')
}
