import { expect, it } from 'vitest';
import { bringMuchOutput } from '../support/muchOutput.ts';

it('brings 200 MB of output whole, followed live, in little memory', { timeout: 300_000 }, async () => {
  const { size, parts } = await bringMuchOutput(11_600);
  expect(size).toBeGreaterThan(200_000_000);
  // Parts of some size: a blob takes 50,000 blocks, and each part is an event.
  expect(size / parts).toBeGreaterThan(1_000_000);
});
