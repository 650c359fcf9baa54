import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** `SLOW_TESTS=1` adds what takes minutes. */
const slow = process.env['SLOW_TESTS'] === undefined ? ['**/*.slow.spec.ts'] : [];
const everywhere = ['**/node_modules/**', ...slow];
const running = ['test/e2e/**', 'test/fault/**'];

/** What waits longest begins first, so that all else runs beside it. */
const longest = 'test/fault/outages.spec.ts';
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLongest = ({ moduleId }: TestSpecification): boolean => moduleId.endsWith(longest);
    return (await super.sort(files)).sort((a, b) => Number(isLongest(b)) - Number(isLongest(a)));
  }
}

/**
 * Three groups, one after the other: what needs no cloud, in parallel; the running system from end to end, on one cloud;
 * the running system while parts of it are killed, each file on clouds of its own, two side by side.
 */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['{agent,sdk,cli,local,test}/**/*.spec.ts'],
          exclude: [...everywhere, ...running],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.spec.ts'],
          exclude: everywhere,
          globalSetup: ['test/support/cloudSetup.ts'],
          setupFiles: ['test/support/trustCloud.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'fault',
          include: ['test/fault/**/*.spec.ts'],
          exclude: everywhere,
          testTimeout: 300_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
