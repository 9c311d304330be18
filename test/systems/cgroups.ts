/**
 * A script's first lines, in a mount namespace of its own: lets what follows see the unified hierarchy of cgroups alone, as container engines and
 * systemd want it, where a system has the older one beside it.
 */
export const OWN_CGROUPS = `
mount --make-rprivate /
[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || { umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; }`
