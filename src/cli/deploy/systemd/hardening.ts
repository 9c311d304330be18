import type { Lines } from '../../systemd/unit-text.ts'

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
