/** Lines of a section, by key; a key may come again. */
type Lines = readonly (readonly [key: string, value: string])[]

/**
 * The text of a unit (systemd.syntax(7)).
 * @param about what is said above it
 * @param sections in their order
 */
export function unitText(about: string, ...sections: readonly Readonly<Record<string, Lines>>[]): string {
  const texts = sections.flatMap((section) =>
    Object.entries(section).map(
      ([name, lines]) => `[${name}]\n${lines.map(([key, value]) => `${key}=${quoted(key, value)}\n`).join('')}`,
    ),
  )
  return `# ${about}\n${texts.join('\n')}`
}

/** A variable's value is one word, whatever is in it. */
function quoted(key: string, value: string): string {
  return key === 'Environment' && /[\s"'\\]/.test(value) ? `"${value.replaceAll(/["\\]/g, '\\$&')}"` : value
}

/** What neither a role nor a service needs (systemd.exec(5), SANDBOXING; judged by systemd-analyze security). */
const HARDENED: Lines = [
  ['DynamicUser', 'yes'],
  ['UMask', '0077'],
  ['StateDirectoryMode', '0700'],
  ['CapabilityBoundingSet', ''],
  ['AmbientCapabilities', ''],
  ['NoNewPrivileges', 'yes'],
  ['ProtectSystem', 'strict'],
  ['ProtectHome', 'yes'],
  ['PrivateTmp', 'yes'],
  ['PrivateDevices', 'yes'],
  ['PrivateUsers', 'yes'],
  ['ProtectHostname', 'yes'],
  ['ProtectClock', 'yes'],
  ['ProtectKernelTunables', 'yes'],
  ['ProtectKernelModules', 'yes'],
  ['ProtectKernelLogs', 'yes'],
  ['ProtectControlGroups', 'yes'],
  ['ProtectProc', 'invisible'],
  ['RestrictNamespaces', 'yes'],
  ['RestrictRealtime', 'yes'],
  ['RestrictSUIDSGID', 'yes'],
  ['RemoveIPC', 'yes'],
  ['LockPersonality', 'yes'],
  // netlink tells a machine's own addresses
  ['RestrictAddressFamilies', 'AF_UNIX AF_INET AF_INET6 AF_NETLINK'],
  ['SystemCallArchitectures', 'native'],
]

/** A role's. MemoryDenyWriteExecute= is left out: V8 compiles while it runs. */
export const HARDENED_ROLE: Lines = [
  ...HARDENED,
  ['DevicePolicy', 'closed'],
  ['SystemCallFilter', '@system-service'],
  ['SystemCallFilter', '~@privileged @resources'],
  ['SystemCallErrorNumber', 'EPERM'],
]

/** A service's: what it calls is not known, but for what only a system's own programs call. */
export const HARDENED_SERVICE: Lines = [
  ...HARDENED,
  ['SystemCallFilter', '@system-service'],
  ['SystemCallFilter', '~@privileged'],
  ['SystemCallErrorNumber', 'EPERM'],
]
