import { expect, it } from 'vitest';
import { bringMuchOutput } from '../support/muchOutput.ts';

it('brings 16 MB of output whole, followed live, in little memory', async () => {
  expect((await bringMuchOutput(900)).size).toBeGreaterThan(16_000_000);
});
