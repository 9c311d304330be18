import { command, unitText } from '../systemd/unit-text.ts'
import type { AutostartPlan } from './autostart-plan.ts'

/** Where an administrator's own units are (systemd.unit(5)). */
export const UNIT_FOLDER = '/etc/systemd/system'
/** What a unit begins with that may be taken away. */
export const WRITTEN_BY = 'Written by msvc service install; msvc service uninstall takes it away.'

/**
 * The unit of a platform, your services included: what these do is not known, so it is hardened only by what nobody needs who is not root. For roles alone, each in a
 * unit of its own and locked up, there is `msvc deploy systemd`. Throws AppError `CONFIG_INVALID` for a folder whose name no unit can hold.
 */
export function platformUnit({ name, folder, user, stopSeconds, ...plan }: AutostartPlan): string {
  return unitText(
    [WRITTEN_BY],
    {
      Unit: [
        ['Description', `msvc platform ${name} in ${folder}`],
        ['Wants', 'network-online.target'],
        ['After', 'network-online.target'],
        ['StartLimitIntervalSec', '0'],
      ],
    },
    {
      Service: [
        ['Type', 'notify'],
        // systemd-notify tells it, on behalf of the program
        ['NotifyAccess', 'all'],
        ['WatchdogSec', '30'],
        ['ExecStart', command(plan.command)],
        ['ExecReload', command(plan.reload)],
        ['WorkingDirectory', folder],
        ['User', user],
        ['Restart', 'always'],
        ['RestartSec', '2'],
        // it stops what it runs by itself, in order
        ['KillMode', 'mixed'],
        ['TimeoutStopSec', String(stopSeconds)],
        ['LimitNOFILE', '65536'],
        ['UMask', '0077'],
        ['NoNewPrivileges', 'yes'],
        ['ProtectSystem', 'full'],
        ['ProtectKernelTunables', 'yes'],
        ['ProtectKernelModules', 'yes'],
        ['ProtectControlGroups', 'yes'],
        ['RestrictSUIDSGID', 'yes'],
        ['RestrictRealtime', 'yes'],
        ['LockPersonality', 'yes'],
      ],
    },
    { Install: [['WantedBy', 'multi-user.target']] },
  )
}
