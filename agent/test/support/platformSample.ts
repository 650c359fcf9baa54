import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

const sample = z.strictObject({
  /** Where the output was published, or from which documentation it was written. */
  source: z.string().min(20),
  /** Lines that the tool prints. */
  output: z.array(z.string()),
  rows: z.array(z.unknown()),
});

export const samplesFolder = join(import.meta.dirname, '../../../test/golden/platforms');

/** What a tool of another operating system prints, and what it says. */
export const platformSample = async (name: string) => {
  const content = sample.parse(JSON.parse(await readFile(join(samplesFolder, `${name}.json`), 'utf8')));
  return {
    text: content.output.join('\n'),
    lines: content.output.map((line) => Buffer.from(line)),
    rows: content.rows,
  };
};

export const collected = async <Item>(items: AsyncIterable<Item> | Iterable<Item>): Promise<Item[]> => {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
};
