import type { ServicePlan } from './service-plan.ts'

/** Where an administrator's own units are (systemd.unit(5)). */
export const UNIT_FOLDER = '/etc/systemd/system'

/**
 * The unit of a platform, your services included: what these do is not known, so it is hardened only by what nobody needs who is not root. For roles alone, each in a
 * unit of its own and locked up, there is `msvc deploy systemd`.
 */
export function systemdUnit({ name, command, folder, user, stopSeconds }: ServicePlan): string {
  return `# Written by msvc service install; msvc service uninstall takes it away.
[Unit]
Description=msvc platform ${name} in ${folder.replaceAll('%', '%%')}
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=${command.map(quotedForSystemd).join(' ')}
WorkingDirectory=${folder.replaceAll('%', '%%')}
User=${user}
Restart=always
RestartSec=2
# msvc stops what it runs by itself, in order
KillMode=mixed
TimeoutStopSec=${stopSeconds}
LimitNOFILE=65536
UMask=0077
NoNewPrivileges=yes
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes

[Install]
WantedBy=multi-user.target
`
}

/** A word of a command line (systemd.service(5), COMMAND LINES; systemd.syntax(7), QUOTING). */
export function quotedForSystemd(word: string): string {
  const escaped = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w./:=@,+-]+$/.test(word) ? word : `"${escaped}"`
}
