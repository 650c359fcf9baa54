import { onThisSystem, type PerSystem } from '../platform/onThisSystem.ts';
import type { CommandContext, DeviceCommand, Row } from './command.ts';

/** Members of a row by the names of the catalogue's columns; what a system does not tell may be left out. */
export type Source<Item> = (context: CommandContext) => Iterable<Item> | AsyncIterable<Item>;

/** A command whose rows come from the system, one by one; the catalogue says which members they have. */
export const listing = <Item extends Partial<Row>>(
  name: string,
  sources: PerSystem<Source<Item>>,
): DeviceCommand => ({
  name,
  startsProcesses: true,
  systems: Object.keys(sources) as NodeJS.Platform[],
  async *run(context) {
    const { columnsOf } = await import('../../domain/catalogue/index.ts');
    const columns = columnsOf(name).map((column) => column.name);
    for await (const item of onThisSystem(sources)(context)) {
      yield Object.fromEntries(columns.map((column) => [column, item[column] ?? null]));
    }
    return {};
  },
});
