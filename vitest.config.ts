import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{domain,contracts,evidence,functions,agent,sdk,cli,local,test}/**/*.spec.ts'],
    exclude: ['**/node_modules/**', 'test/bench/**', '**/*.slow.spec.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
