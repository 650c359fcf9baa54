import type { Catalogue, ColumnDefinition } from '../definition.ts';
import { findCommand } from '../findCommand.ts';
import { fileCommands } from './files.ts';
import { inspectionCommands } from './inspection.ts';
import { libraryCommands } from './library.ts';
import { navigationCommands } from './navigation.ts';
import { responseCommands } from './response.ts';
import { sessionCommands } from './session.ts';

/** Every command, by name. */
export const catalogue: Catalogue = [
  ...navigationCommands,
  ...sessionCommands,
  ...fileCommands,
  ...inspectionCommands,
  ...libraryCommands,
  ...responseCommands,
].sort((one, other) => (one.name < other.name ? -1 : 1));

/** By name or alias. Empty for an unknown command and for one without rows; show the members of its rows then. */
export const columnsOf = (name: string): readonly ColumnDefinition[] =>
  findCommand(catalogue, name)?.columns ?? [];

/** What a table of the command shows under these flags. */
export const tableColumnsOf = (name: string, flags: readonly string[] = []): readonly ColumnDefinition[] =>
  columnsOf(name).filter(
    (column) => column.inTable || (column.inTableWith !== undefined && flags.includes(column.inTableWith)),
  );
