import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // what is waited for comes at once on a quiet machine: on a busy one it may take a while
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{src,build,release}/**/*.test.ts'],
          exclude: ['src/roles/**'],
          // a process for each of 240 files would cost three times as much as a thread, more than what is tested in most of them
          pool: 'threads',
          // and importing has no effect, so that one import serves all files that a thread runs
          isolate: false,
          globalSetup: ['test/servers/install.ts', 'test/servers/empty-cluster.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'roles',
          include: ['src/roles/**/*.test.ts'],
          // isolated: some of them fill the heap that the next file would have to work in
          pool: 'threads',
          globalSetup: ['test/servers/install.ts', 'test/servers/empty-cluster.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'drivers',
          include: ['test/{drivers,servers}/**/*.test.ts'],
          // they wait for servers and disks, for the most part
          maxWorkers: 4,
          sequence: { groupOrder: 2 },
          globalSetup: ['test/servers/install.ts', 'test/servers/empty-cluster.ts'],
        },
      },
      { extends: true, test: { name: 'architecture', include: ['test/architecture.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/{e2e,seed,upgrades}/**/*.test.ts'],
          exclude: ['test/e2e/{alone,bounds,live}/**', 'test/upgrades/rolling/**'],
          globalSetup: ['test/servers/install.ts', 'test/servers/empty-cluster.ts', 'test/e2e/program.ts'],
        },
      },
      // tests of how long somebody waits, or how much a second gets through, which another test's start of nine processes would be part of: one after the other, after all others
      {
        extends: true,
        test: {
          name: 'alone',
          include: ['test/e2e/alone/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
          globalSetup: ['test/servers/install.ts', 'test/servers/empty-cluster.ts', 'test/e2e/program.ts'],
        },
      },
      // two versions of the program, one after the other and side by side, under load: alone too
      {
        extends: true,
        test: {
          name: 'upgrades',
          include: ['test/upgrades/rolling/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 4 },
          globalSetup: ['test/servers/install.ts', 'test/servers/empty-cluster.ts', 'test/e2e/program.ts'],
        },
      },
      // measures how long a good client waits: alone, after the others
      {
        extends: true,
        test: {
          name: 'bounds',
          include: ['test/e2e/bounds/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      // what is done to a platform while it takes orders, and how long these wait: alone too
      {
        extends: true,
        test: {
          name: 'live',
          include: ['test/e2e/live/**/*.test.ts'],
          maxWorkers: 1,
          globalSetup: ['test/servers/install.ts', 'test/servers/empty-cluster.ts', 'test/e2e/program.ts'],
        },
      },
      // the executable in other systems: minimal ones, each of which takes a minute to make once, one that systemd boots, and an engine's containers
      {
        extends: true,
        test: {
          name: 'systems',
          include: ['test/systems/**/*.test.ts'],
          maxWorkers: 1,
          globalSetup: ['test/servers/install.ts'],
        },
      },
      // they build the package and use the executable's own ports: one after the other
      {
        extends: true,
        test: {
          name: 'smoke',
          include: ['test/smoke/**/*.test.ts'],
          maxWorkers: 1,
          globalSetup: ['test/servers/install.ts'],
        },
      },
    ],
  },
})
